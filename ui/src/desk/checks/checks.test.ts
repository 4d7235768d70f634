import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it } from 'vitest';
import table from '../../../../crates/copresence-validate/requirements.toml?raw';
import { planBackendChecks } from '../../../fake/checks-plan';
import type { FakeDesk } from '../../../fake/desk';
import { createProblem, unjudgedChecks } from '../../../fake/desk-fixtures';
import { byTestId, renderDesk } from '../../../fake/render-desk';
import type { CheckRunOptions } from '../../generated/view';
import { messages } from '../messages';

const words = messages.checks;
const ALL = unjudgedChecks().length;
const counted = (what: string) => Number(byTestId(`count-${what}`).querySelector('strong')?.textContent);
const titles = () =>
  [...document.querySelectorAll('[data-testid^="check-"]')].map((one) => one.getAttribute('data-testid'));
const resultText = () => byTestId('told-checks').textContent?.trim();

async function checks(prepare: (desk: FakeDesk) => void = () => {}): Promise<FakeDesk> {
  const { desk } = await renderDesk(prepare, 'checks');
  await waitFor(() => expect(byTestId('checks-stand')).toBeTruthy());
  return desk;
}

async function started(prepare: (desk: FakeDesk) => void = () => {}): Promise<FakeDesk> {
  const desk = await checks(prepare);
  await fireEvent.click(byTestId('start-backend-checks'));
  await waitFor(() => expect(byTestId('checks-stand').dataset.stand).toBe('running'));
  return desk;
}

async function played(): Promise<FakeDesk> {
  const desk = await started();
  while (desk.judgeNextCheck()) await tick();
  while (desk.judgeNextCheck()) await tick();
  await waitFor(() => expect(byTestId('checks-stand').dataset.stand).toBe('ended'));
  return desk;
}

it('are those of the table of requirements', () => {
  const rows = table.split('[[requirement]]').slice(1);
  const checked = (row: string) => /^checks = \[(.*)\]$/m.exec(row)?.[1]?.match(/[\w.-]+/g) ?? [];
  const known = rows.flatMap((row) => checked(row).map((id) => `${id} ${/^id = "(.*)"$/m.exec(row)?.[1]}`));
  const resultText = unjudgedChecks().flatMap(({ id, requirements }) =>
    requirements.map((of) => `${id} ${of}`),
  );
  expect(resultText.sort()).toEqual(known.sort());
});

describe('the checks', () => {
  it('say what a run does and costs before the first request', async () => {
    const desk = await checks((of) => (of.panelView.backend = { ...of.panelView.backend, sandbox: false }));
    const resultText = async (ask: CheckRunOptions) => {
      const plan = planBackendChecks(ask, false, 1);
      await waitFor(() => expect(byTestId('cost').textContent).toContain(words.cost(plan)));
      const lines = [...byTestId('plan').querySelectorAll('li')];
      expect(lines).toHaveLength(plan.acts.length);
      expect(lines.filter((line) => line.textContent.includes(words.leftOut))).toHaveLength(
        plan.acts.filter(({ left_out }) => left_out !== null).length,
      );
    };
    const ask = { most_tokens: 4, wrong_requests: true, with_phone: true, despite_visits: false };
    await resultText(ask);
    expect(byTestId('cost').textContent).toContain(words.all(ALL));
    expect(byTestId('cost').textContent).toContain(words.asksPeople);
    await fireEvent.click(byTestId('budget-1'));
    await fireEvent.click(byTestId('phone-no'));
    await fireEvent.click(byTestId('wrong-no'));
    await resultText({ ...ask, most_tokens: 1, with_phone: false, wrong_requests: false });
    expect(byTestId('cost').textContent).not.toContain(words.asksPeople);
    expect(desk.calls).not.toContain('startBackendChecks');
    const asked: unknown[] = [];
    desk.startBackendChecks = async (ask) => void asked.push(ask);
    await fireEvent.click(byTestId('start-backend-checks'));
    expect(asked).toEqual([{ ...ask, most_tokens: 1, with_phone: false, wrong_requests: false }]);
  });

  it('warn that they advance the clock during a visit, and start anyway', async () => {
    const desk = await checks((of) => {
      of.panelView.backend = { ...of.panelView.backend, sandbox: true };
      of.panelView.visits_live = 0;
    });
    await waitFor(() => expect(byTestId('cost').textContent).toContain(words.movesClock));
    expect(screen.queryByTestId('disturbs')).toBeNull();
    // A visit has started meanwhile: the program refuses, and the plan says why.
    desk.panelView.visits_live = 2;
    desk.refusals.set('startBackendChecks', createProblem('checks_disturb', 'A visit is under way', 'Wait'));
    await fireEvent.click(byTestId('start-backend-checks'));
    await waitFor(() => expect(byTestId('disturbs').textContent).toBe(words.disturbs(2)));
    expect(resultText()).toContain('A visit is under way');
    const asked: CheckRunOptions[] = [];
    desk.startBackendChecks = async (ask) => void asked.push(ask);
    expect(byTestId('start-backend-checks').textContent).toBe(words.startAllTheSame);
    await fireEvent.click(byTestId('start-backend-checks'));
    expect(asked.map(({ despite_visits }) => despite_visits)).toEqual([true]);
  });

  it('get their verdicts one by one, and are counted', async () => {
    const desk = await started();
    expect([counted('waiting'), counted('pass')]).toEqual([ALL, 0]);
    desk.judgeNextCheck();
    await tick();
    expect([counted('waiting'), counted('pass')]).toEqual([ALL - 1, 1]);
    for (let i = 0; i < 3; i += 1) desk.judgeNextCheck();
    await tick();
    expect([counted('waiting'), counted('pass'), counted('fail')]).toEqual([ALL - 4, 4, 0]);
    expect(byTestId('used').textContent).toContain(words.requests(5));
    expect(byTestId('check-login.needs-key').dataset.stand).toBe('pass');
    // During the run the order stays.
    expect(titles()[0]).toBe('check-login.gives-session');
  });

  it('ask for a person with a phone, and continue without', async () => {
    const desk = await started((of) => (of.panelView.backend = { ...of.panelView.backend, sandbox: false }));
    while (desk.judgeNextCheck()) await tick();
    await waitFor(() => expect(byTestId('invitation').textContent).toContain('exportToken='));
    expect(byTestId('invitation').querySelector('img')?.getAttribute('src')).toMatch(
      /^data:image\/svg\+xml;base64,/,
    );
    await fireEvent.click(byTestId('skip'));
    await waitFor(() => expect(screen.queryByTestId('invitation')).toBeNull());
    expect(counted('skipped')).toBeGreaterThan(20);
    expect(byTestId('check-visit.associated').textContent).toContain('skipped');
  });

  it('end with failures first, and show the findings', async () => {
    await played();
    expect(byTestId('checks-stand').textContent?.trim()).toBe(words.failed);
    expect(byTestId('doing').textContent?.trim()).toBe('Failed: 1 of 42 required checks');
    expect(titles().slice(0, 3)).toEqual([
      'check-redeem.unknown-400',
      'check-files.no-store',
      'check-errors.form',
    ]);
    expect(byTestId('found').textContent).toContain('status 500');
    expect(byTestId('found').textContent).toContain('RED-8');
    await fireEvent.click(byTestId('check-files.no-store'));
    expect(byTestId('found').textContent).toContain('public, max-age=31536000');
    expect(byTestId('found').textContent).toContain(words.remedy);
    for (const stand of ['fail', 'warn', 'not applicable', 'pass', 'inconclusive'] as const) {
      await fireEvent.click(byTestId(`only-${stand}`));
      expect(titles()).toHaveLength(counted(stand));
    }
    expect(screen.getByText(words.nothing)).toBeTruthy();
    expect([counted('fail'), counted('warn')]).toEqual([1, 5]);
    expect([counted('not applicable'), counted('pass')]).toEqual([10, ALL - 16]);
  });

  it('save the report and show its folder, or the refusal', async () => {
    const desk = await played();
    await fireEvent.click(byTestId('save-report'));
    await waitFor(() => expect(resultText()).toContain('~/.local/share/copresence-kiosk/reports/'));
    desk.refusals.set('saveReport', {
      code: 'x',
      visitor: '',
      operator: 'The disk is full',
      hint: 'Free some',
    });
    await fireEvent.click(byTestId('save-report'));
    await waitFor(() => expect(resultText()).toBe('The disk is full Free some'));
  });

  it('can be stopped, keep their verdicts, and run again', async () => {
    const desk = await started();
    desk.judgeNextCheck();
    await fireEvent.click(byTestId('stop'));
    await waitFor(() => expect(byTestId('checks-stand').dataset.stand).toBe('broken'));
    expect(byTestId('checks').textContent).toContain('The run was stopped');
    expect(counted('pass')).toBe(1);
    await fireEvent.click(byTestId('restart'));
    await fireEvent.click(byTestId('ask-cancel'));
    expect(counted('pass')).toBe(1);
    await fireEvent.click(byTestId('restart'));
    await fireEvent.click(byTestId('start-backend-checks'));
    await waitFor(() => expect(byTestId('checks-stand').dataset.stand).toBe('running'));
    await waitFor(() => expect(counted('waiting')).toBe(ALL));
  });

  it('show why a run cannot start', async () => {
    await checks((desk) =>
      desk.refusals.set('startBackendChecks', {
        code: 'x',
        visitor: '',
        operator: 'A run goes on already',
        hint: 'Wait',
      }),
    );
    await fireEvent.click(byTestId('start-backend-checks'));
    await waitFor(() => expect(resultText()).toBe('A run goes on already Wait'));
    expect(byTestId('checks-stand').dataset.stand).toBe('idle');
  });
});
