import { afterEach, describe, expect, it, vi } from 'vitest';
import { blockBrowserActions, hideIdlePointer, isBrowserShortcut } from './guard';

const key = (chord: string) => {
  const parts = chord.split(' ');
  return {
    key: parts.at(-1) ?? '',
    ctrlKey: parts.includes('Ctrl'),
    metaKey: parts.includes('Meta'),
    altKey: parts.includes('Alt'),
    shiftKey: parts.includes('Shift'),
    cancelable: true,
    bubbles: true,
  };
};

describe('browser shortcuts', () => {
  it.each([
    'F5',
    'Ctrl r',
    'Ctrl Shift R',
    'Ctrl p',
    'Ctrl f',
    'F3',
    'Ctrl +',
    'Ctrl -',
    'Ctrl 0',
    'Ctrl =',
    'F12',
    'Ctrl Shift I',
    'Alt ArrowLeft',
    'Ctrl o',
    'Ctrl s',
    'Ctrl u',
    'Meta r',
    'F7',
    'F11',
    'BrowserBack',
  ])('%s', (chord) => expect(isBrowserShortcut(key(chord))).toBe(true));
  it.each([
    'a',
    'r',
    '+',
    'F9',
    'F10',
    'Enter',
    'Tab',
    'ArrowLeft',
    'Ctrl c',
    'Ctrl v',
    'Ctrl x',
    'Ctrl z',
    'Ctrl a',
    'Backspace',
  ])('is not %s', (chord) => expect(isBrowserShortcut(key(chord))).toBe(false));
});

describe('the page guard', () => {
  afterEach(() => document.documentElement.removeAttribute('data-pointer-rests'));

  /** Whether the default action was prevented. */
  function refused(event: Event): boolean {
    document.body.dispatchEvent(event);
    return event.defaultPrevented;
  }
  const plain = (kind: string) => new Event(kind, { bubbles: true, cancelable: true });

  it('is active until it is stopped', () => {
    const end = blockBrowserActions();
    expect(refused(new KeyboardEvent('keydown', key('F5')))).toBe(true);
    expect(refused(new KeyboardEvent('keydown', key('x')))).toBe(false);
    for (const kind of ['contextmenu', 'dragstart', 'dragover', 'drop', 'gesturestart', 'auxclick']) {
      expect([kind, refused(plain(kind))]).toEqual([kind, true]);
    }
    const wheel = (ctrlKey: boolean) => Object.assign(plain('wheel'), { ctrlKey });
    expect(refused(wheel(true))).toBe(true);
    expect(refused(wheel(false))).toBe(false);
    const button = (kind: string, button: number) => new MouseEvent(kind, { ...key('x'), button });
    for (const kind of ['mousedown', 'mouseup']) {
      expect([0, 1, 2, 3, 4].map((at) => refused(button(kind, at)))).toEqual([
        false,
        false,
        false,
        true,
        true,
      ]);
    }
    const touch = (fingers: number) => Object.assign(plain('touchmove'), { touches: { length: fingers } });
    expect(refused(touch(2))).toBe(true);
    expect(refused(touch(1))).toBe(false);
    end();
    expect(refused(new KeyboardEvent('keydown', key('F5')))).toBe(false);
  });

  it('hides the pointer while it does not move', () => {
    vi.useFakeTimers();
    const hidden = () => document.documentElement.hasAttribute('data-pointer-rests');
    const move = (at: number) =>
      document.body.dispatchEvent(
        Object.assign(new Event('pointermove', { bubbles: true }), { screenX: at, screenY: 0 }),
      );
    const end = hideIdlePointer();
    expect(hidden()).toBe(false);
    vi.advanceTimersByTime(3001);
    expect(hidden()).toBe(true);
    move(1);
    expect(hidden()).toBe(false);
    vi.advanceTimersByTime(2000);
    move(2);
    vi.advanceTimersByTime(2000);
    expect(hidden()).toBe(false);
    vi.advanceTimersByTime(1001);
    expect(hidden()).toBe(true);
    // Reported again at the same place.
    move(2);
    expect(hidden()).toBe(true);
    end();
    expect(hidden()).toBe(false);
    vi.advanceTimersByTime(9000);
    expect(hidden()).toBe(false);
    vi.useRealTimers();
  });
});
