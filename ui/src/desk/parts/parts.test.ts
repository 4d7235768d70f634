import { fireEvent, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../../fake/desk-fixtures';
import { at, focused, openDesk, press } from '../../../fake/render-desk';
import { W } from '../messages';

const stops = (id: string) =>
  [...at(id).querySelectorAll<HTMLElement>('[role=radio], [role=option]')]
    .filter(({ tabIndex }) => tabIndex >= 0)
    .map(({ dataset }) => dataset.testid);
const describedBy = (id: string) =>
  (at(id).getAttribute('aria-describedby') ?? '')
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => document.getElementById(one)?.textContent?.trim());

describe('a choice', () => {
  it('is one Tab stop: what is chosen, or what the arrows came to', async () => {
    await openDesk(() => {}, 'retention');
    expect(at('keep').getAttribute('role')).toBe('radiogroup');
    expect(stops('keep')).toEqual(['keep-none']);
    at('keep-24').focus();
    await waitFor(() => expect(stops('keep')).toEqual(['keep-24']));
    // Where one is says nothing of what is chosen.
    expect(at('keep-none').getAttribute('aria-checked')).toBe('true');
    at('wipe').focus();
    await waitFor(() => expect(stops('keep')).toEqual(['keep-none']));
  });

  it('has a Tab stop where none of it is chosen', async () => {
    await openDesk((of) => (of.view.display = { ...of.view.display, idle_seconds: 45 }), 'display');
    expect(stops('idle-seconds')).toEqual(['idle-seconds-30']);
  });

  it('is come to at what is chosen, from the rail and by the arrows', async () => {
    const { desk } = await openDesk((of) => (of.view.backend = { ...of.view.backend, profile: 'staging' }));
    press('ArrowRight', at('section-backend'));
    expect(focused()).toBe('profile-staging');
    expect(desk.acts).toEqual([]);
  });

  it('of checks or visits is one Tab stop, too', async () => {
    const { desk } = await openDesk(() => {}, 'inspector');
    await waitFor(() => expect(at('inspector').querySelector('[role=radiogroup]')).toBeTruthy());
    expect(stops('inspector').filter((id) => id?.startsWith('visit-'))).toEqual([
      `visit-${desk.timelines[0]?.visit.visit}`,
    ]);
    await fireEvent.click(at('section-checks'));
    await waitFor(() => expect(at('checks')).toBeTruthy());
    expect(stops('checks').filter((id) => id?.startsWith('check-'))).toHaveLength(1);
  });
});

describe('a field', () => {
  it('is tied to what it is about, and to why it was refused', async () => {
    await openDesk(() => {}, 'display');
    expect(describedBy('idle-other')).toEqual([W.display.idleAbout]);
    expect(describedBy('idle-seconds')).toEqual([W.display.idleAbout]);
    expect(at('idle-other').getAttribute('aria-invalid')).toBeNull();
    await fireEvent.input(at('idle-other'), { target: { value: '5' } });
    await fireEvent.submit(at('idle-other').closest('form') as HTMLFormElement);
    await waitFor(() => expect(at('idle-other').getAttribute('aria-invalid')).toBe('true'));
    expect(describedBy('idle-other')[1]).toContain(W.display.idleUnfit('5'));
    // No other field was wrong.
    expect(at('text-attract').getAttribute('aria-invalid')).toBeNull();
    await fireEvent.click(at('idle-seconds-120'));
    await waitFor(() => expect(at('idle-other').getAttribute('aria-invalid')).toBeNull());
    expect(describedBy('idle-other')).toEqual([W.display.idleAbout]);
  });

  it('of three is the one that was wrong', async () => {
    await openDesk(() => {}, 'access');
    const wrong = () => document.querySelector('[aria-invalid=true]')?.getAttribute('data-testid');
    for (const [current, next, repeat, which] of [
      ['1234', '25', '25', 'pin-next'],
      ['1234', '2580', '2581', 'pin-repeat'],
      ['9999', '2580', '2580', 'pin-current'],
      ['1234', '2580', '2580', undefined],
    ] as const) {
      for (const [id, value] of Object.entries({ current, next, repeat }))
        await fireEvent.input(at(`pin-${id}`), { target: { value } });
      await fireEvent.submit(at('pin-current').closest('form') as HTMLFormElement);
      await waitFor(() => expect(wrong()).toBe(which));
    }
  });

  it('says what was done in a region that stood before', async () => {
    await openDesk(
      (of) => of.refusals.set('set_keep', refusal('x', 'The disk is full', 'Free some')),
      'retention',
    );
    const region = at('told-keep').querySelector('[role=status]');
    expect(region?.textContent).toBe('');
    await fireEvent.click(at('keep-24'));
    await waitFor(() => expect(at('told-keep').textContent).toContain('The disk is full'));
    await fireEvent.click(at('keep-24'));
    await waitFor(() => expect(region?.textContent).toBe(W.retention.kept(24)));
    expect(region?.isConnected).toBe(true);
  });
});
