// The lanes of the scripted program: visits that go on in the background, their tickets and pickup codes.
import type { Screen, TicketView } from '../src/generated/view';
import { createTickets, PICKUP_CODE, screens } from './fixtures';

/** Milliseconds between two steps of an avatar in the background at the usual pace, and the percent that a step adds. */
const STEP_MS = 400;
const STEP_PERCENT = 5;

/** Simulates the lanes for `FakeHost`: visits that continue in the background. Every ticket has the code of the fixtures. */
export class FakeLanes {
  #tickets: TicketView[] = [];
  #wrongCodes = 0;
  readonly #publishTickets: (tickets: TicketView[]) => void;
  readonly #pace: number;
  /** Ends the waiting for `finishRecording()`. */
  readonly #made: Promise<void>;

  constructor(publishTickets: (tickets: TicketView[]) => void, pace: number, made: Promise<void>) {
    this.#publishTickets = publishTickets;
    this.#pace = pace;
    this.#made = made;
  }

  /** Hands the visit on the screen over: returns the screen with its ticket, and finishes its avatar in the background. */
  handOver(): Screen {
    const used = new Set(this.#tickets.map(({ name }) => name.colour));
    const free = createTickets(8, 0).find(({ name }) => !used.has(name.colour));
    if (!free) throw new Error('there is no free lane');
    const ticket: TicketView = { ...free, progress: 0 };
    this.#setTickets([...this.#tickets, ticket]);
    void this.#makeAvatar(ticket.visit);
    return { ...screens.ticket, visit: ticket.visit, ticket };
  }

  /** The code entry of a ticket. */
  choose(visit: string): Screen {
    this.#wrongCodes = 0;
    return { ...screens['pick-up'], visit, ticket: this.#ticket(visit) };
  }

  /** The screen after a code: the avatar after the right one. */
  enter(code: string, visit: string, reveal: Screen): Screen {
    if (code === PICKUP_CODE) {
      this.#setTickets(this.#tickets.filter((one) => one.visit !== visit));
      return { ...reveal, visit } as Screen;
    }
    this.#wrongCodes += 1;
    const left = Math.max(1, 3 - this.#wrongCodes);
    const until = this.#wrongCodes < 3 ? null : new Date(Date.now() + 5000 * this.#pace).toISOString();
    const entry = { checking: false, wrong: true, tries_left: left, blocked_until: until };
    return { ...screens['pick-up'], visit, ticket: this.#ticket(visit), entry };
  }

  async #makeAvatar(visit: string): Promise<void> {
    for (let progress = 0; progress < 100; progress += STEP_PERCENT) {
      this.#change(visit, { progress });
      await new Promise((resolve) => setTimeout(resolve, STEP_MS * this.#pace));
    }
    await this.#made;
    this.#change(visit, { state: 'ready', progress: null });
  }

  #ticket(visit: string): TicketView {
    const ticket = this.#tickets.find((one) => one.visit === visit);
    if (!ticket) throw new Error('there is no such ticket');
    return ticket;
  }

  #change(visit: string, to: Partial<TicketView>): void {
    this.#setTickets(this.#tickets.map((one) => (one.visit === visit ? { ...one, ...to } : one)));
  }

  #setTickets(tickets: TicketView[]): void {
    this.#tickets = tickets;
    this.#publishTickets(tickets);
  }
}
