/** Light or dark: the system's preference until the operator chooses. The choice lasts until the page is reloaded. */
const darkQuery = globalThis.matchMedia?.('(prefers-color-scheme: dark)');
const themeState = $state<{ theme: 'light' | 'dark' | null; system: 'light' | 'dark' }>({
  theme: null,
  system: darkQuery?.matches ? 'dark' : 'light',
});
darkQuery?.addEventListener?.('change', ({ matches }) => {
  themeState.system = matches ? 'dark' : 'light';
});

/** The theme in use. */
export function currentDeskTheme(): 'light' | 'dark' {
  return themeState.theme ?? themeState.system;
}

/** Switches to the other theme. */
export function toggleDeskTheme(): void {
  themeState.theme = currentDeskTheme() === 'dark' ? 'light' : 'dark';
}
