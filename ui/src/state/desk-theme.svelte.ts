/** Light or dark: as the system likes it, until somebody chooses; kept for as long as the page lives. */
const wanted = globalThis.matchMedia?.('(prefers-color-scheme: dark)');
const chosen = $state<{ theme: 'light' | 'dark' | null; system: 'light' | 'dark' }>({
  theme: null,
  system: wanted?.matches ? 'dark' : 'light',
});
wanted?.addEventListener?.('change', ({ matches }) => {
  chosen.system = matches ? 'dark' : 'light';
});

/** The one in use. */
export function theme(): 'light' | 'dark' {
  return chosen.theme ?? chosen.system;
}

/** The other one. */
export function turnTheme(): void {
  chosen.theme = theme() === 'dark' ? 'light' : 'dark';
}
