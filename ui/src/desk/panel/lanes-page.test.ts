import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { createProblem } from '../../../fake/desk-fixtures';
import { createTickets } from '../../../fake/fixtures';
import { byTestId, renderDesk } from '../../../fake/render-desk';
import { messages } from '../messages';

const labels = messages.lanes;
const result = (field: string) => byTestId(`told-${field}`).textContent?.trim();
const names = () =>
  [...document.querySelectorAll('[data-testid=lanes] li strong')].map((name) => name.textContent);

describe('Lanes', () => {
  it('lists the tickets with what an operator needs, and no codes', async () => {
    await renderDesk(undefined, 'lanes');
    expect(names()).toEqual(['Blue Comet', 'Orange Rocket', 'Green Kite', 'Pink Bell']);
    const row = byTestId('lane-orange-rocket').textContent ?? '';
    expect(row).toContain(labels.state.ready);
    expect(row).toContain(labels.wrongCodes(4));
    expect(row).toMatch(/expires at \d\d:\d\d/);
    expect(byTestId('lane-green-kite').textContent).toMatch(/\d+ %/);
    expect(byTestId('lane-green-kite').textContent).not.toContain('expires');
    const counts = ['issued', 'active', 'spent', 'abandoned'].map(
      (key) => byTestId(`tokens-${key}`).textContent,
    );
    expect(counts).toEqual(['9', '1', '6', '2']);
  });

  it('opens a ticket on the stage, and locks the desk', async () => {
    const { desk, deskOverlay } = await renderDesk(undefined, 'lanes');
    await fireEvent.click(byTestId('open-ticket-1'));
    await waitFor(() => expect(deskOverlay.isOpen).toBe(false));
    const visit = createTickets(2, 2)[1]?.visit;
    expect(desk.panelActions).toEqual([{ kind: 'open_ticket', visit }, { kind: 'lock' }]);
  });

  it('stays when the screen is in use, and says so', async () => {
    const inUse = createProblem(
      'screen_in_use',
      'A visitor is at the screen',
      'Wait until the visit has ended',
    );
    const { deskOverlay } = await renderDesk((desk) => desk.refusals.set('open_ticket', inUse), 'lanes');
    await fireEvent.click(byTestId('open-ticket-0'));
    await waitFor(() => expect(result('tickets')).toContain('A visitor is at the screen'));
    expect(deskOverlay.isOpen).toBe(true);
    expect(names()).toHaveLength(4);
  });

  it('moves a ticket, and forgets one after a question', async () => {
    const { desk } = await renderDesk(undefined, 'lanes');
    await fireEvent.click(byTestId('later-0'));
    await waitFor(() => expect(names()).toEqual(['Orange Rocket', 'Blue Comet', 'Green Kite', 'Pink Bell']));
    expect(result('tickets')).toBe(labels.moved('Blue Comet', 2));
    expect((byTestId('earlier-0') as HTMLButtonElement).disabled).toBe(true);
    await fireEvent.click(byTestId('forget-ticket-3'));
    await waitFor(() => expect(byTestId('question').textContent).toContain('Pink Bell'));
    await fireEvent.click(byTestId('question-yes'));
    await waitFor(() => expect(names()).toHaveLength(3));
    expect(desk.panelActions.map(({ kind }) => kind)).toEqual(['move_ticket', 'forget_ticket']);
  });

  it('sets the number of lanes, the hand-over and the expiry, each without the others', async () => {
    const { desk } = await renderDesk(undefined, 'lanes');
    for (const [id, field] of [
      ['lane-count-3', 'lane-count'],
      ['lane-automatic-20', 'lane-automatic'],
      ['lane-expiry-60', 'lane-expiry'],
    ] as const) {
      await fireEvent.click(byTestId(id));
      await waitFor(() => expect(result(field)).not.toBe(''));
    }
    expect(desk.panelView.lanes.settings).toEqual({ count: 3, automatic_seconds: 20, ticket_minutes: 60 });
  });

  it('says when lanes are off', async () => {
    await renderDesk((desk) => {
      desk.panelView.lanes.tickets = [];
      desk.panelView.lanes.settings.count = 0;
    }, 'lanes');
    expect(byTestId('no-tickets').textContent).toBe(labels.off);
    expect(screen.queryByTestId('lanes')).toBeNull();
  });
});
