import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it } from 'vitest';
import { diskFullProblem, resultText } from '../../../fake/panel-fields';
import { byTestId, focusedTestId, renderDesk } from '../../../fake/render-desk';
import { messages } from '../messages';

describe('History', () => {
  it('lists the visits with their portraits, and forgets one after a confirmation', async () => {
    const { desk } = await renderDesk((of) => {
      of.pastVisits = of.pastVisits.map((one) => ({
        ...one,
        portrait: one.bytes > 0 ? 'avatar://a/portrait.png' : null,
      }));
    }, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    expect(document.querySelectorAll('img[src^="avatar:"]')).toHaveLength(4);
    // Faces are hidden until the operator shows them.
    expect(document.querySelectorAll('img.veiled')).toHaveLength(4);
    await fireEvent.click(byTestId('history-faces'));
    expect(document.querySelectorAll('img.veiled')).toHaveLength(0);
    const [live, second] = desk.pastVisits;
    expect(screen.queryByTestId(`forget-${live?.visit}`)).toBeNull();
    await fireEvent.click(byTestId(`forget-${second?.visit}`));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(6));
    expect(resultText('history')).toBe(messages.history.forgotten);
    expect(desk.panelActions).toEqual([{ kind: 'forget_visit', visit: second?.visit }]);
  });

  it('shows each outcome as a shape, and the folder only in the details', async () => {
    const { desk } = await renderDesk(() => {}, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    const shapes = [...byTestId('history').querySelectorAll<HTMLElement>('.shape')].map(
      ({ dataset }) => dataset.stand,
    );
    expect(shapes).toEqual(['unknown', 'good', 'good', 'doubtful', 'doubtful', 'bad', 'good']);
    expect(byTestId('history').textContent).not.toContain('avatars/');
    const [, second, third] = desk.pastVisits;
    await fireEvent.click(byTestId(`details-${second?.visit}`));
    await fireEvent.click(byTestId(`details-${third?.visit}`));
    expect(screen.getByTestId('past-details').textContent).toContain(third?.directory);
    await fireEvent.click(byTestId(`details-${third?.visit}`));
    expect(screen.queryByTestId('past-details')).toBeNull();
  });

  it('says in plain words what an operator explains, and the program’s words in the details', async () => {
    const { desk } = await renderDesk(() => {}, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    const lost = desk.pastVisits.find(({ ended }) => ended === 'possibly_consumed');
    expect(byTestId('history').textContent).toContain(messages.history.plainOutcomes.possibly_consumed);
    expect(byTestId('history').textContent).not.toContain(lost?.words);
    await fireEvent.click(byTestId(`details-${lost?.visit}`));
    expect(byTestId('past-details').textContent).toContain(lost?.words);
  });

  it('keeps the visit in the list when it could not be forgotten', async () => {
    const { desk } = await renderDesk((of) => of.refusals.set('forget_visit', diskFullProblem), 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    await fireEvent.click(byTestId(`forget-${desk.pastVisits[1]?.visit}`));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(resultText('history')).toContain('The disk is full'));
    expect(screen.getAllByTestId('past-visit')).toHaveLength(7);
  });

  it('renders long lists in pages', async () => {
    await renderDesk((of) => {
      const [one] = of.pastVisits.slice(1);
      if (one) of.pastVisits = Array.from({ length: 250 }, (_, i) => ({ ...one, visit: `v${i}` }));
    }, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(100));
    await fireEvent.click(byTestId('history-more'));
    expect(screen.getAllByTestId('past-visit')).toHaveLength(200);
    await fireEvent.click(byTestId('history-more'));
    expect(screen.queryByTestId('history-more')).toBeNull();
  });
});

describe('after an entry of the history is deleted', () => {
  it('the focus is on the next one', async () => {
    const { desk } = await renderDesk(() => {}, 'history');
    await waitFor(() => expect(byTestId('history')).toBeTruthy());
    const past = desk.pastVisits.filter(({ live }) => !live);
    byTestId(`forget-${past[1]?.visit}`).focus();
    await fireEvent.click(byTestId(`forget-${past[1]?.visit}`));
    await waitFor(() => expect(focusedTestId()).toBe('question-no'));
    await fireEvent.click(byTestId('question-yes'));
    await waitFor(() => expect(screen.queryByTestId(`forget-${past[1]?.visit}`)).toBeNull());
    await waitFor(() => expect(focusedTestId()).toBe(`forget-${past[2]?.visit}`));
  });
});

describe('Health', () => {
  it('checks when it is opened and on request, and shows remedies', async () => {
    const { desk } = await renderDesk(() => {}, 'health');
    await waitFor(() => expect(byTestId('health').textContent).toContain('101.1 MB free'));
    expect(byTestId('health').textContent).toContain('Free some space');
    expect(byTestId('health-summary').textContent).toBe(messages.health.summary(1, 1));
    desk.healthParts = desk.healthParts.map((part) => ({ ...part, stand: 'good' }));
    await fireEvent.click(byTestId('health-check'));
    await waitFor(() => expect(byTestId('health-summary').textContent).toBe(messages.health.summary(0, 0)));
    expect(byTestId('health-summary').dataset.stand).toBe('good');
    expect(byTestId('health-at').textContent).toMatch(/^Checked at \d/);
  });

  it('lists problems first, and links to the section that fixes them', async () => {
    await renderDesk(() => {}, 'health');
    const resultText = () => [...byTestId('health').querySelectorAll('[data-testid^=health-]')];
    await waitFor(() => expect(resultText().length).toBeGreaterThan(5));
    expect(
      resultText()
        .slice(0, 2)
        .map((one) => one.getAttribute('data-testid')),
    ).toEqual(['health-disk', 'health-profiles']);
    expect(screen.queryByTestId('go-settings')).toBeNull();
    byTestId('go-disk').focus();
    await fireEvent.click(byTestId('go-disk'));
    await waitFor(() => expect(byTestId('section').dataset.section).toBe('retention'));
    await waitFor(() => expect(focusedTestId()).toBe('section-retention'));
  });

  it('shows a badge in the navigation until the problem is fixed', async () => {
    const { desk } = await renderDesk((of) => {
      of.panelView.backend = { ...of.panelView.backend, sandbox: false };
    }, 'credentials');
    await waitFor(() => expect(byTestId('health-badge').getAttribute('aria-label')).toBe('1 problem'));
    desk.healthParts = desk.healthParts.map((part) => ({ ...part, stand: 'good' }));
    await fireEvent.click(byTestId('remove-api-key'));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(screen.queryByTestId('health-badge')).toBeNull());
  });

  it('shows nothing when the check in the background fails', async () => {
    await renderDesk((of) => of.refusals.set('checkHealth', diskFullProblem), 'backend');
    await tick();
    expect(screen.queryByTestId('health-badge')).toBeNull();
    expect(screen.queryByRole('alert')).toBeNull();
  });
});
