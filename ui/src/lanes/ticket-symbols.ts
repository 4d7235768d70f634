// The drawings of the tickets. The sandbox's phone page draws the same (`static/tickets.svg`); a test compares them.
import type { TicketSymbol } from '../generated/view';

/** A drawing in a square of 100: areas that are filled (by the even-odd rule), and lines. */
export interface TicketDrawing {
  area?: string;
  line?: string;
}

/** The drawing of each symbol. */
export const TICKET_DRAWINGS: Record<TicketSymbol, TicketDrawing> = {
  comet: { area: 'M68 46a22 22 0 1 1-.01 0Z', line: 'M12 12 43 43M44 12 62 30M12 44 30 62' },
  moon: { area: 'M58 12a39 39 0 1 0 29 58A33 33 0 0 1 58 12Z' },
  anchor: {
    line: 'M50 34v52M50 14a10 10 0 1 0 .01 0M33 48h34M16 58c2 17 16 28 34 28s32-11 34-28M16 58l-6 11M16 58l12 7M84 58l6 11M84 58l-12 7',
  },
  bell: {
    area: 'M50 10c5 0 8 3 8 8 13 4 19 14 19 27 0 16 4 21 11 28H12c7-7 11-12 11-28 0-13 6-23 19-27 0-5 3-8 8-8ZM39 79h22a11 11 0 0 1-22 0Z',
  },
  kite: { area: 'M50 6 80 40 50 68 20 40Z', line: 'M50 68c-12 8 10 14-2 26M36 80l-9-3M62 86l9 3' },
  key: { line: 'M34 32a18 18 0 1 0 .01 0M52 50h38M74 50v15M88 50v11' },
  leaf: { area: 'M86 12C40 12 10 34 16 78c8-30 26-40 44-46-18 14-32 30-36 54 38 6 66-22 62-74Z' },
  crown: { area: 'M12 28l19 20 19-34 19 34 19-20-9 44H21ZM21 78h58v10H21Z' },
  rocket: {
    area: 'M50 4c18 14 24 34 19 56H31C26 38 32 18 50 4ZM50 24a9 9 0 1 0 .01 0ZM28 50 12 72l18-5ZM72 50l16 22-18-5ZM40 66h20L50 96Z',
  },
  cloud: { area: 'M29 78a20 20 0 0 1-3-40 26 26 0 0 1 50-6 22 22 0 0 1 0 46Z' },
  feather: { area: 'M88 10C50 12 28 30 24 62l12-6-22 32 8 4 18-26c30 2 48-20 48-56Z' },
  mountain: { area: 'M4 84 38 20l20 36 11-16 27 44ZM38 38 28 57l9-5 7 8 7-6Z' },
};
