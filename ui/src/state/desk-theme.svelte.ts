/** Light or dark: as the system likes it, until somebody chooses; kept for as long as the page lives. */
const darkQuery = globalThis.matchMedia?.('(prefers-color-scheme: dark)');
const themeState = $state<{ theme: 'light' | 'dark' | null; system: 'light' | 'dark' }>({
  theme: null,
  system: darkQuery?.matches ? 'dark' : 'light',
});
darkQuery?.addEventListener?.('change', ({ matches }) => {
  themeState.system = matches ? 'dark' : 'light';
});

/** The one in use. */
export function deskTheme(): 'light' | 'dark' {
  return themeState.theme ?? themeState.system;
}

/** The other one. */
export function toggleDeskTheme(): void {
  themeState.theme = deskTheme() === 'dark' ? 'light' : 'dark';
}
