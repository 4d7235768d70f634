// The keys of the on-screen keyboard. Latin letters only: other scripts need a keyboard with an input method.

/** The pages of the keyboard. */
export type KeyboardPage = 'letters' | 'accents' | 'symbols' | 'digits';

/** The rows of each page, one character per key. */
export const KEY_ROWS: Record<KeyboardPage, readonly string[]> = {
  letters: ['1234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm,.-'],
  accents: ['äöüßàâæçñ', 'éèêëîïôœó', 'áíúùûÿ¿¡', '«»„“”’–…'],
  symbols: ['1234567890', '@#€$%&*()', '/:;!?\'"_=', '+[]{}<>\\|~`^'],
  digits: ['123', '456', '789', '.0,'],
};

/** The characters of a page, in capitals when `shifted`. Characters without a single capital stay. */
export function keyRows(page: KeyboardPage, shifted: boolean): string[][] {
  return KEY_ROWS[page].map((row) =>
    Array.from(row, (key) => (shifted ? singleCapitalOrSameCharacter(key) : key)),
  );
}

/** The capital of a character, or the character: “ß” has none of one character. */
function singleCapitalOrSameCharacter(key: string): string {
  const capital = key.toUpperCase();
  return capital.length === 1 ? capital : key;
}
