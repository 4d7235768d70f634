import { fireEvent, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it } from 'vitest';
import { createProblem } from '../../../fake/desk-fixtures';
import { byTestId, focusedTestId, pressKey, renderDesk } from '../../../fake/render-desk';
import { messages } from '../messages';

const stops = (id: string) =>
  [...byTestId(id).querySelectorAll<HTMLElement>('[role=radio], [role=option]')]
    .filter(({ tabIndex }) => tabIndex >= 0)
    .map(({ dataset }) => dataset.testid);
const describedBy = (id: string) =>
  (byTestId(id).getAttribute('aria-describedby') ?? '')
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => document.getElementById(one)?.textContent?.trim());

describe('a choice', () => {
  it('is one Tab stop, the chosen option', async () => {
    await renderDesk(() => {}, 'retention');
    expect(byTestId('keep').getAttribute('role')).toBe('radiogroup');
    expect(stops('keep')).toEqual(['keep-none']);
    byTestId('keep-24').focus();
    await tick();
    // The focus alone chooses nothing.
    expect(byTestId('keep-none').getAttribute('aria-checked')).toBe('true');
    expect(stops('keep')).toEqual(['keep-none']);
    await fireEvent.click(byTestId('keep-24'));
    await waitFor(() => expect(stops('keep')).toEqual(['keep-24']));
  });

  it('has a Tab stop when no option is chosen', async () => {
    await renderDesk(
      (of) => (of.panelView.display = { ...of.panelView.display, idle_seconds: 45 }),
      'display',
    );
    expect(stops('idle-seconds')).toEqual(['idle-seconds-30']);
  });

  it('is entered at the chosen option, from the navigation and by arrows', async () => {
    const { desk } = await renderDesk(
      (of) => (of.panelView.backend = { ...of.panelView.backend, profile: 'staging' }),
    );
    pressKey('ArrowRight', byTestId('section-backend'));
    expect(focusedTestId()).toBe('profile-staging');
    expect(desk.panelActions).toEqual([]);
  });

  it('of checks or visits is one Tab stop, too', async () => {
    const { desk } = await renderDesk(() => {}, 'inspector');
    await waitFor(() => expect(byTestId('inspector').querySelector('[role=radiogroup]')).toBeTruthy());
    expect(stops('inspector').filter((id) => id?.startsWith('visit-'))).toEqual([
      `visit-${desk.timelines[0]?.visit.visit}`,
    ]);
    await fireEvent.click(byTestId('section-checks'));
    await waitFor(() => expect(byTestId('checks')).toBeTruthy());
    expect(stops('checks').filter((id) => id?.startsWith('check-'))).toHaveLength(1);
  });
});

describe('a field', () => {
  it('is described by its text and by the refusal', async () => {
    await renderDesk(() => {}, 'display');
    expect(describedBy('idle-other')).toEqual([messages.display.idleAbout]);
    expect(describedBy('idle-seconds')).toEqual([messages.display.idleAbout]);
    expect(byTestId('idle-other').getAttribute('aria-invalid')).toBeNull();
    await fireEvent.input(byTestId('idle-other'), { target: { value: '5' } });
    await fireEvent.submit(byTestId('idle-other').closest('form') as HTMLFormElement);
    await waitFor(() => expect(byTestId('idle-other').getAttribute('aria-invalid')).toBe('true'));
    expect(describedBy('idle-other')[1]).toContain(messages.display.idleUnfit('5'));
    // No other field was invalid.
    expect(byTestId('text-attract').getAttribute('aria-invalid')).toBeNull();
    await fireEvent.click(byTestId('idle-seconds-120'));
    await waitFor(() => expect(byTestId('idle-other').getAttribute('aria-invalid')).toBeNull());
    expect(describedBy('idle-other')).toEqual([messages.display.idleAbout]);
  });

  it('of three is marked when it was invalid', async () => {
    await renderDesk(() => {}, 'access');
    const wrong = () => document.querySelector('[aria-invalid=true]')?.getAttribute('data-testid');
    for (const [current, next, repeat, which] of [
      ['1234', '25', '25', 'pin-next'],
      ['1234', '2580', '2581', 'pin-repeat'],
      ['9999', '2580', '2580', 'pin-current'],
      ['1234', '2580', '2580', undefined],
    ] as const) {
      for (const [id, value] of Object.entries({ current, next, repeat }))
        await fireEvent.input(byTestId(`pin-${id}`), { target: { value } });
      await fireEvent.submit(byTestId('pin-current').closest('form') as HTMLFormElement);
      await waitFor(() => expect(wrong()).toBe(which));
    }
  });

  it('shows its result in a live region that existed before', async () => {
    await renderDesk(
      (of) => of.refusals.set('set_keep', createProblem('x', 'The disk is full', 'Free some')),
      'retention',
    );
    const region = byTestId('told-keep').querySelector('[role=status]');
    expect(region?.textContent).toBe('');
    await fireEvent.click(byTestId('keep-24'));
    await waitFor(() => expect(byTestId('told-keep').textContent).toContain('The disk is full'));
    await fireEvent.click(byTestId('keep-24'));
    await waitFor(() => expect(region?.textContent).toBe(messages.retention.kept(24)));
    expect(region?.isConnected).toBe(true);
  });
});
