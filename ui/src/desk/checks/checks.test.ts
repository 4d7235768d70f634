import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it } from 'vitest';
import type { ChecksAsk } from '../../generated/view';
import { planOf, refusal } from '../../host/desk-fixtures';
import type { FakeDesk } from '../../host/fake-desk';
import { at, openDesk } from '../harness';
import { W } from '../words';

const words = W.checks;
const counted = (what: string) => Number(at(`count-${what}`).querySelector('strong')?.textContent);
const titles = () =>
  [...document.querySelectorAll('[data-testid^="check-"]')].map((one) => one.getAttribute('data-testid'));
const told = () => at('told-checks').textContent?.trim();

async function checks(prepare: (desk: FakeDesk) => void = () => {}): Promise<FakeDesk> {
  const { desk } = await openDesk(prepare, 'checks');
  await waitFor(() => expect(at('checks-stand')).toBeTruthy());
  return desk;
}

async function started(): Promise<FakeDesk> {
  const desk = await checks();
  await fireEvent.click(at('start-checks'));
  await waitFor(() => expect(at('checks-stand').dataset.stand).toBe('running'));
  return desk;
}

async function played(): Promise<FakeDesk> {
  const desk = await started();
  while (desk.runOne()) await tick();
  while (desk.runOne()) await tick();
  await waitFor(() => expect(at('checks-stand').dataset.stand).toBe('ended'));
  return desk;
}

describe('the checks', () => {
  it('say what a run does and costs before the first request', async () => {
    const desk = await checks((of) => (of.view.backend = { ...of.view.backend, sandbox: false }));
    const told = async (ask: ChecksAsk) => {
      const plan = planOf(ask, false, 1);
      await waitFor(() => expect(at('cost').textContent).toContain(words.cost(plan)));
      const lines = [...at('plan').querySelectorAll('li')];
      expect(lines).toHaveLength(plan.acts.length);
      expect(lines.filter((line) => line.textContent.includes(words.leftOut))).toHaveLength(
        plan.acts.filter(({ left_out }) => left_out !== null).length,
      );
    };
    const ask = { most_tokens: 4, wrong_requests: true, with_phone: true, despite_visits: false };
    await told(ask);
    expect(at('cost').textContent).toContain(words.all(30));
    expect(at('cost').textContent).toContain(words.asksPeople);
    await fireEvent.click(at('budget-1'));
    await fireEvent.click(at('phone-no'));
    await fireEvent.click(at('wrong-no'));
    await told({ ...ask, most_tokens: 1, with_phone: false, wrong_requests: false });
    expect(at('cost').textContent).not.toContain(words.asksPeople);
    expect(desk.calls).not.toContain('startChecks');
    const asked: unknown[] = [];
    desk.startChecks = async (ask) => void asked.push(ask);
    await fireEvent.click(at('start-checks'));
    expect(asked).toEqual([{ ...ask, most_tokens: 1, with_phone: false, wrong_requests: false }]);
  });

  it('warn where they move the clock under a visit, and begin all the same', async () => {
    const desk = await checks((of) => {
      of.view.backend = { ...of.view.backend, sandbox: true };
      of.view.visits_live = 0;
    });
    await waitFor(() => expect(at('cost').textContent).toContain(words.movesClock));
    expect(screen.queryByTestId('disturbs')).toBeNull();
    // A visit began meanwhile: the program refuses, and the plan says why.
    desk.view.visits_live = 2;
    desk.refusals.set('startChecks', refusal('checks_disturb', 'A visit is under way', 'Wait'));
    await fireEvent.click(at('start-checks'));
    await waitFor(() => expect(at('disturbs').textContent).toBe(words.disturbs(2)));
    expect(told()).toContain('A visit is under way');
    const asked: ChecksAsk[] = [];
    desk.startChecks = async (ask) => void asked.push(ask);
    expect(at('start-checks').textContent).toBe(words.startAllTheSame);
    await fireEvent.click(at('start-checks'));
    expect(asked.map(({ despite_visits }) => despite_visits)).toEqual([true]);
  });

  it('get their verdicts one by one, and are counted', async () => {
    const desk = await started();
    expect([counted('waits'), counted('pass')]).toEqual([30, 0]);
    desk.runOne();
    await tick();
    expect([counted('waits'), counted('pass')]).toEqual([29, 1]);
    for (let i = 0; i < 3; i += 1) desk.runOne();
    await tick();
    expect([counted('waits'), counted('pass'), counted('fail')]).toEqual([26, 3, 1]);
    expect(at('used').textContent).toContain(words.requests(13));
    expect(at('check-login.needs-key').dataset.stand).toBe('fail');
    // While it runs they keep their order.
    expect(titles()[0]).toBe('check-login.gives-session');
  });

  it('ask for somebody with a phone, and go on without', async () => {
    const desk = await started();
    while (desk.runOne()) await tick();
    await waitFor(() => expect(at('invitation').textContent).toContain('exportToken='));
    expect(at('invitation').querySelector('img')?.getAttribute('src')).toMatch(
      /^data:image\/svg\+xml;base64,/,
    );
    await fireEvent.click(at('skip'));
    await waitFor(() => expect(screen.queryByTestId('invitation')).toBeNull());
    expect(counted('left')).toBe(4);
  });

  it('end with what fails first, and show what it found', async () => {
    await played();
    expect(at('checks-stand').textContent?.trim()).toBe(words.failed);
    expect(titles().slice(0, 4)).toEqual([
      'check-redeem.none-400',
      'check-login.needs-key',
      'check-files.no-store',
      'check-visit.progress-rises',
    ]);
    expect(at('found').textContent).toContain('500 with an HTML page');
    expect(at('found').textContent).toContain('RED-7');
    await fireEvent.click(at('check-files.no-store'));
    expect(at('found').textContent).toContain('public, max-age=31536000');
    expect(at('found').textContent).toContain(words.remedy);
    await fireEvent.click(at('only-fail'));
    expect(titles()).toHaveLength(3);
    await fireEvent.click(at('only-rest'));
    expect(titles()).toHaveLength(3);
  });

  it('save the report and say where, or why not', async () => {
    const desk = await played();
    await fireEvent.click(at('save-report'));
    await waitFor(() => expect(told()).toContain('~/.local/share/copresence-kiosk/reports/'));
    desk.refusals.set('saveReport', {
      code: 'x',
      visitor: '',
      operator: 'The disk is full',
      hint: 'Free some',
    });
    await fireEvent.click(at('save-report'));
    await waitFor(() => expect(told()).toBe('The disk is full Free some'));
  });

  it('are stopped, keep what was judged, and run again', async () => {
    const desk = await started();
    desk.runOne();
    await fireEvent.click(at('stop'));
    await waitFor(() => expect(at('checks-stand').dataset.stand).toBe('broken'));
    expect(at('checks').textContent).toContain('The run was stopped');
    expect(counted('pass')).toBe(1);
    await fireEvent.click(at('restart'));
    await fireEvent.click(at('ask-cancel'));
    expect(counted('pass')).toBe(1);
    await fireEvent.click(at('restart'));
    await fireEvent.click(at('start-checks'));
    await waitFor(() => expect(at('checks-stand').dataset.stand).toBe('running'));
    expect(counted('waits')).toBe(30);
  });

  it('say why a run cannot begin', async () => {
    await checks((desk) =>
      desk.refusals.set('startChecks', {
        code: 'x',
        visitor: '',
        operator: 'A run goes on already',
        hint: 'Wait',
      }),
    );
    await fireEvent.click(at('start-checks'));
    await waitFor(() => expect(told()).toBe('A run goes on already Wait'));
    expect(at('checks-stand').dataset.stand).toBe('idle');
  });
});
