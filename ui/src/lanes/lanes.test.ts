import { readFileSync } from 'node:fs';
import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createTickets,
  lanBackend,
  PICKUP_CODE,
  realBackend,
  sandboxBackend,
  screens,
} from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../../fake/render-app';
import type { Screen, TicketView } from '../generated/view';
import { LOCALES } from '../language/locales';
import { playSound } from '../sound/sound-player';
import { languageStore } from '../state/language-store.svelte';
import { visitorPresenceTimer } from '../state/visitor-presence-timer';
import { TICKET_DRAWINGS } from './ticket-symbols';

vi.mock('../sound/sound-player', () => ({ playSound: vi.fn(), setSoundsOn: vi.fn() }));

beforeEach(() => void vi.mocked(playSound).mockClear());
afterEach(() => vi.useRealTimers());

const making = screens.making;
const offering = (automatic_seconds: number | null): Screen => ({
  ...making,
  next_visitor: { has_free_lane: true, automatic_seconds },
});
const pickUp = screens['pick-up'];
const noteText = () => byTestId('next-visitor-note').textContent?.trim();

describe('the offer for the next visitor', () => {
  it('has the focus, and hands the visit over', async () => {
    const host = await renderScreen(offering(null));
    await waitFor(() => expect(focusedTestId()).toBe('next-visitor'));
    expect(noteText()).toBe(languageStore.translate('lanes-next-line'));
    await fireEvent.click(byTestId('next-visitor'));
    expect(host.calledActions).toEqual(['handOverVisit']);
  });

  it('comes with the code: whoever has scanned it needs no screen', async () => {
    const host = await renderScreen(
      screens['invite-offer'],
      new FakeHost(screens['invite-offer'], {}, realBackend),
    );
    // An accidental press does not free the screen.
    expect(focusedTestId()).toBe('code');
    await fireEvent.click(byTestId('next-visitor'));
    expect(host.calledActions).toEqual(['handOverVisit']);
    host.showScreen({ ...screens['invite-offer'], expired: true });
    await waitFor(() => expect(screen.queryByTestId('next-visitor')).toBeNull());
  });

  it('is no button without lanes and while all are taken', async () => {
    const host = await renderScreen(making);
    expect(screen.queryByTestId('next-visitor')).toBeNull();
    expect(screen.queryByTestId('next-visitor-note')).toBeNull();
    host.showScreen(screens['making-offer-full']);
    await waitFor(() => expect(noteText()).toBe(languageStore.translate('lanes-full')));
    expect(screen.queryByTestId('next-visitor')).toBeNull();
  });

  describe('with a time', () => {
    beforeEach(() =>
      vi.useFakeTimers({
        toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'performance', 'Date'],
      }),
    );

    async function renderOffer(host = new FakeHost(offering(20))): Promise<FakeHost> {
      const rendered = renderScreen(offering(20), host);
      await vi.advanceTimersByTimeAsync(200);
      return rendered;
    }

    it('hands the visit over after that time without input, once', async () => {
      const host = await renderOffer();
      await vi.advanceTimersByTimeAsync(12_000);
      expect(noteText()).toMatch(/^[78] /);
      expect(noteText()).toContain(languageStore.translate('lanes-next-automatic'));
      // Each input starts it again.
      await fireEvent.keyDown(document.body, { key: 'ArrowDown' });
      await vi.advanceTimersByTimeAsync(19_000);
      expect(host.calledActions).toEqual([]);
      host.refusals.set('handOverVisit', 'no');
      await vi.advanceTimersByTimeAsync(60_000);
      expect(host.calledActions).toEqual(['handOverVisit']);
      await fireEvent.keyDown(document.body, { key: 'ArrowDown' });
      await vi.advanceTimersByTimeAsync(21_000);
      expect(host.calledActions).toEqual(['handOverVisit', 'handOverVisit']);
    });

    it('counts from the start of a reloaded page', async () => {
      visitorPresenceTimer.markAbsent();
      const host = new FakeHost(offering(20));
      const rendered = renderScreen(offering(20), host, false);
      await vi.advanceTimersByTimeAsync(15_000);
      await rendered;
      expect(host.calledActions).toEqual([]);
      await vi.advanceTimersByTimeAsync(6000);
      expect(host.calledActions).toEqual(['handOverVisit']);
    });

    it('waits while the operator uses the desk', async () => {
      const host = await renderOffer();
      await fireEvent.keyDown(document.body, { key: 'F10' });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(host.calledActions).toEqual([]);
    });
  });
});

describe('a ticket', () => {
  it('shows its name and its code, and leaves for the next visitor', async () => {
    const host = await renderScreen(screens.ticket, new FakeHost(screens.ticket, {}, realBackend));
    expect(byTestId('ticket-name').textContent).toBe('Blue Comet');
    expect(byTestId('ticket-code').textContent).toContain(PICKUP_CODE);
    expect(screen.queryByTestId('ticket-on-phone')).toBeNull();
    expect(document.querySelector('[data-testid=ticket] [data-colour=blue][data-symbol=comet]')).toBeTruthy();
    expect(focusedTestId()).toBe('ticket-done');
    await fireEvent.click(byTestId('ticket-done'));
    expect(host.calledActions).toEqual(['returnToAttract']);
  });

  it('is on the phone too, where the phone page is ours', async () => {
    await renderScreen(screens.ticket, new FakeHost(screens.ticket, {}, lanBackend));
    expect(byTestId('ticket-on-phone').textContent).toBe(languageStore.translate('ticket-on-phone'));
  });

  it('has another name for each colour and symbol in every language', () => {
    for (const locale of LOCALES) {
      languageStore.setLocale(locale);
      const names = new Set(
        (['blue', 'red', 'green', 'yellow', 'orange', 'purple', 'pink', 'white'] as const).flatMap((colour) =>
          Object.keys(TICKET_DRAWINGS).map((symbol) =>
            languageStore.translate('ticket-name', { colour, symbol }),
          ),
        ),
      );
      expect(names.size, locale).toBe(8 * 12);
      for (const name of names) expect(name, locale).toBe(name.trim());
    }
    languageStore.setLocale('de');
    const inGerman = (symbol: string) => languageStore.translate('ticket-name', { colour: 'blue', symbol });
    expect(['comet', 'cloud', 'leaf'].map(inGerman)).toEqual(['Blauer Komet', 'Blaue Wolke', 'Blaues Blatt']);
    languageStore.setLocale('fr');
    expect(languageStore.translate('ticket-name', { colour: 'white', symbol: 'kite' })).toBe(
      'Cerf-volant blanc',
    );
    expect(languageStore.translate('ticket-name', { colour: 'white', symbol: 'moon' })).toBe('Lune blanche');
  });

  it('is drawn alike on the sandbox’s phone page', () => {
    const sprite = readFileSync('../crates/copresence-sandbox/static/tickets.svg', 'utf8');
    for (const [symbol, { area, line }] of Object.entries(TICKET_DRAWINGS)) {
      const drawn = new RegExp(`<symbol id="${symbol}"[^>]*>(.*?)</symbol>`).exec(sprite)?.[1] ?? '';
      const paths = [...drawn.matchAll(/ d="([^"]*)"/g)].map(([, d]) => d);
      expect(paths, symbol).toEqual([area, line].filter((d) => d !== undefined));
    }
  });
});

describe('the strip of tickets', () => {
  const tickets = createTickets(5, 2);
  const attract = (of: TicketView[] = tickets) =>
    new FakeHost(screens.attract, { chooseTicket: () => pickUp }, sandboxBackend, {}, of);

  it('is not there without tickets', async () => {
    await renderScreen(screens.attract);
    expect(screen.queryByTestId('tickets')).toBeNull();
  });

  it('names what is ready, and shows how far the others are', async () => {
    await renderScreen(screens.attract, attract());
    expect(byTestId('ticket-blue-comet').textContent).toContain('Blue Comet');
    expect(byTestId('ticket-green-kite').textContent?.trim()).toBe('Green Kite');
    expect(byTestId('ticket-green-kite').getAttribute('aria-label')).toBe('Green Kite: still being made');
    // The start of a visit keeps the focus.
    expect(focusedTestId()).toBe('start');
  });

  it('opens the pick-up of a ticket, and starts no visit', async () => {
    const host = await renderScreen(screens.attract, attract());
    byTestId('ticket-orange-rocket').click();
    await waitFor(() => expect(byTestId('pick-up')).toBeTruthy());
    expect(host.calledActions).toEqual(['chooseTicket']);
    expect(host.chosenTickets).toEqual([tickets[1]?.visit]);
  });

  it('is chosen by a key that would start a visit elsewhere', async () => {
    const host = await renderScreen(screens.attract, attract());
    byTestId('ticket-blue-comet').focus();
    await fireEvent.keyDown(byTestId('ticket-blue-comet'), { key: 'Enter' });
    expect(host.calledActions).toEqual([]);
  });
});

it('names the owner of every ticket, under a heading for its state', async () => {
  const tickets = createTickets(5, 2);
  await renderScreen(screens.attract, new FakeHost(screens.attract, {}, sandboxBackend, {}, tickets));
  const boards = [...document.querySelectorAll('[data-testid=tickets] section')].map((one) => [
    one.querySelector('p')?.textContent,
    [...one.querySelectorAll('button')].map((button) => button.textContent.trim()),
  ]);
  expect(boards).toEqual([
    [languageStore.translate('tickets-ready'), ['Blue Comet', 'Orange Rocket']],
    [languageStore.translate('tickets-making'), ['Green Kite', 'Pink Bell', 'Yellow Crown']],
  ]);
});

describe('a ticket that becomes ready', () => {
  const [first, second] = createTickets(2, 1) as [TicketView, TicketView];

  it('is announced on the screen and by a sound, but not on a ticket of somebody else', async () => {
    const host = new FakeHost(screens.attract, {}, sandboxBackend, {}, [first, second]);
    await renderScreen(screens.attract, host);
    // It was ready before.
    expect(byTestId('ticket-announcement').textContent?.trim()).toBe('');
    expect(playSound).not.toHaveBeenCalledWith('done');
    host.setTickets([first, { ...second, state: 'ready', progress: null }]);
    await waitFor(() =>
      expect(byTestId('ticket-announcement').textContent?.trim()).toBe('Orange Rocket is ready!'),
    );
    expect(playSound).toHaveBeenCalledWith('done');
    host.showScreen(screens.ticket);
    await waitFor(() => expect(byTestId('ticket-announcement').textContent?.trim()).toBe(''));
  });
});

describe('the pick-up', () => {
  const type = async (digits: string) => {
    for (const key of digits) await fireEvent.keyDown(document.body, { key });
  };
  const entered = () => Number(byTestId('pickup-digits').dataset.count);

  it('sends four digits that are typed', async () => {
    const host = await renderScreen(pickUp);
    await type('04x1');
    expect([entered(), host.enteredCodes.length]).toEqual([3, 0]);
    await fireEvent.keyDown(document.body, { key: 'Backspace' });
    expect(entered()).toBe(2);
    await type('17');
    expect(host.enteredCodes).toEqual(['0417']);
    expect(host.targets.at(-1)).toMatchObject({ visit: pickUp.visit });
    // The digits are not on the screen: a bystander may watch.
    expect(byTestId('pickup-digits').textContent).not.toMatch(/\d/);
  });

  it('sends four digits that are pressed', async () => {
    const host = await renderScreen(pickUp);
    expect(focusedTestId()).toBe('digit-5');
    for (const digit of ['9', '9', 'delete', '0', '4', '1'])
      await fireEvent.click(byTestId(`digit-${digit}`));
    expect(host.enteredCodes).toEqual(['9041']);
  });

  it('says how many tries are left, and takes another code', async () => {
    const host = await renderScreen(pickUp);
    await type('1111');
    host.showScreen({ ...pickUp, entry: { ...pickUp.entry, checking: true } });
    await waitFor(() =>
      expect(byTestId('pickup-answer').textContent).toBe(languageStore.translate('pickup-checking')),
    );
    await type('2');
    host.showScreen(screens['pick-up-wrong']);
    await waitFor(() => expect(entered()).toBe(0));
    expect(byTestId('pickup-answer').textContent).toBe(languageStore.translate('pickup-wrong', { tries: 2 }));
    await type('2222');
    expect(host.enteredCodes).toEqual(['1111', '2222']);
  });

  it('keeps the digits of the next code when another ticket changes after a wrong one', async () => {
    const wrong = screens['pick-up-wrong'];
    const host = await renderScreen(wrong);
    await type('222');
    host.showScreen({ ...wrong, entry: { ...wrong.entry } });
    await tick();
    expect(entered()).toBe(3);
    await type('2');
    expect(host.enteredCodes).toEqual(['2222']);
  });

  it('accepts nothing during a wait, and counts it down', async () => {
    vi.useFakeTimers({
      now: Date.parse('2026-11-22T12:00:00Z'),
      toFake: ['Date', 'setInterval', 'clearInterval'],
    });
    const blocked = {
      ...pickUp,
      entry: { ...pickUp.entry, wrong: true, blocked_until: '2026-11-22T12:00:20Z' },
    };
    const host = await renderScreen(blocked);
    expect(byTestId('pickup-answer').textContent).toContain('0:20');
    await type('0417');
    await fireEvent.click(byTestId('digit-5'));
    expect([entered(), host.enteredCodes.length]).toEqual([0, 0]);
    expect(byTestId('digit-5').getAttribute('aria-disabled')).toBe('true');
    expect(focusedTestId()).toBe('back');
    vi.advanceTimersByTime(21_000);
    await waitFor(() => expect(byTestId('digit-5').getAttribute('aria-disabled')).toBe('false'));
    await waitFor(() => expect(focusedTestId()).toBe('digit-5'));
    await type('0417');
    expect(host.enteredCodes).toEqual(['0417']);
  });

  it('asks for no code while the avatar is being made, and for one as soon as it is ready', async () => {
    const host = await renderScreen(screens['pick-up-making']);
    expect(screen.queryByTestId('code-pad')).toBeNull();
    expect(focusedTestId()).toBe('back');
    await type('0417');
    expect(host.enteredCodes).toEqual([]);
    host.showScreen(pickUp);
    await waitFor(() => expect(focusedTestId()).toBe('digit-5'));
  });

  it('asks for the code while its visitor records: it shows the QR code again', async () => {
    await renderScreen({ ...pickUp, ticket: { ...pickUp.ticket, state: 'recording' } });
    expect(byTestId('code-pad')).toBeTruthy();
  });

  it('asks for the code of a failed avatar too: whoever has the ticket learns why', async () => {
    await renderScreen({ ...pickUp, ticket: { ...pickUp.ticket, state: 'failed' } });
    expect(byTestId('code-pad')).toBeTruthy();
  });

  it('says that a ticket is closed, and goes back', async () => {
    const host = await renderScreen(screens['pick-up-closed']);
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('pickup-closed-title'));
    expect(screen.queryByTestId('code-pad')).toBeNull();
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    expect(host.calledActions).toEqual(['returnToAttract']);
  });
});
