import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { FakeDesk } from '../../../fake/desk';
import { createProblem, keychainLockedProblem } from '../../../fake/desk-fixtures';
import { diskFullProblem, resultText, submit, value, write } from '../../../fake/panel-fields';
import { byTestId, focusedTestId, renderDesk } from '../../../fake/render-desk';
import { messages } from '../messages';

describe('Backend', () => {
  it('uses another profile at once, and shows it', async () => {
    const { desk } = await renderDesk();
    await fireEvent.click(byTestId('profile-booth'));
    await waitFor(() => expect(resultText('profile')).toBe(messages.backend.used('booth')));
    expect(desk.panelActions).toEqual([{ kind: 'use_profile', name: 'booth' }]);
    expect(byTestId('profile-booth').getAttribute('aria-checked')).toBe('true');
    expect(screen.getByText(messages.backend.phonesReal)).toBeTruthy();
  });

  it('does not choose an invalid profile, and shows why', async () => {
    const { desk } = await renderDesk();
    expect(byTestId('profile-relay').textContent).toContain('{token}');
    await fireEvent.click(byTestId('profile-relay'));
    expect(desk.panelActions).toEqual([]);
  });

  it('shows a refusal at its field: what, and what to do', async () => {
    const { desk } = await renderDesk((of) => of.refusals.set('use_profile', diskFullProblem));
    await fireEvent.click(byTestId('profile-booth'));
    await waitFor(() => expect(resultText('profile')).toBe('The disk is full Free some space'));
    expect(byTestId('profile-sandbox').getAttribute('aria-checked')).toBe('true');
    expect(resultText('phones')).toBe('');
    expect(desk.panelView.backend.profile).toBe('sandbox');
  });

  it('lets phones in, and shows where', async () => {
    await renderDesk();
    await fireEvent.click(byTestId('phones-in'));
    await waitFor(() => expect(byTestId('phones-at').textContent).toBe('http://192.168.1.20:8787'));
    await fireEvent.click(byTestId('phones-out'));
    await waitFor(() => expect(screen.queryByTestId('phones-at')).toBeNull());
  });
});

describe('Credentials', () => {
  const secret = 'sk-live-not-a-real-key-77';
  const everywhere = () => {
    const values = [...document.querySelectorAll('input, textarea')].map(
      (one) => (one as HTMLInputElement).value,
    );
    return document.documentElement.outerHTML + values.join('\n');
  };

  it('are set, and their value is nowhere afterwards', async () => {
    const { desk } = await renderDesk(() => {}, 'credentials');
    const act = vi.spyOn(desk, 'runPanelAction');
    await fireEvent.click(byTestId('set-session-token'));
    await waitFor(() => expect(focusedTestId()).toBe('value-session-token'));
    const input = byTestId('value-session-token') as HTMLInputElement;
    expect([input.type, input.autocomplete]).toEqual(['password', 'off']);
    await write('value-session-token', secret);
    const sent = submit('value-session-token');
    // Removed from the page before the program has answered.
    expect(input.value).toBe('');
    await sent;
    expect(act.mock.calls[0]?.[0]).toEqual({ kind: 'set_credential', slot: 'session-token', value: secret });
    await waitFor(() => expect(byTestId('state-session-token').textContent).toContain('…77'));
    expect(resultText('credential-session-token')).toBe(messages.credentials.isSet('Session token'));
    expect(everywhere()).not.toContain(secret);
    await waitFor(() => expect(focusedTestId()).toBe('set-session-token'));
  });

  it('leave no value when they are refused', async () => {
    await renderDesk((of) => of.refusals.set('set_credential', diskFullProblem), 'credentials');
    await fireEvent.click(byTestId('set-api-key'));
    await waitFor(() => expect(byTestId('value-api-key')).toBeTruthy());
    await write('value-api-key', secret);
    await submit('value-api-key');
    await waitFor(() => expect(resultText('credential-api-key')).toContain('The disk is full'));
    expect((byTestId('value-api-key') as HTMLInputElement).value).toBe('');
    expect(everywhere()).not.toContain(secret);
  });

  it('are not sent when nothing was entered', async () => {
    const { desk } = await renderDesk(() => {}, 'credentials');
    await fireEvent.click(byTestId('set-api-key'));
    await submit('value-api-key');
    await waitFor(() => expect(resultText('credential-api-key')).toContain(messages.credentials.nothing));
    expect(desk.panelActions).toEqual([]);
  });

  it('are removed after a confirmation; Cancel has the focus', async () => {
    const { desk } = await renderDesk(() => {}, 'credentials');
    await fireEvent.click(byTestId('remove-api-key'));
    await waitFor(() => expect(focusedTestId()).toBe('question-no'));
    await fireEvent.click(byTestId('question-no'));
    expect(desk.panelActions).toEqual([]);
    await fireEvent.click(byTestId('remove-api-key'));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(byTestId('state-api-key').textContent).toContain(messages.credentials.not));
    expect(desk.panelActions).toEqual([{ kind: 'remove_credential', slot: 'api-key' }]);
  });

  it('from the environment are neither removed nor replaced here', async () => {
    await renderDesk(() => {}, 'credentials');
    expect(screen.queryByTestId('remove-password')).toBeNull();
    // One in the keychain would not be used.
    expect(screen.queryByTestId('set-password')).toBeNull();
    expect(byTestId('row-credential-password').textContent).toContain('COPRESENCE_PASSWORD');
  });

  it('are named with either spelling of their slots', async () => {
    await renderDesk((of) => {
      of.panelView.credentials = [{ slot: 'api_key', ends_in: null, set: true, origin: 'this run' }];
    }, 'credentials');
    expect(byTestId('row-credential-api-key').textContent).toContain('API key');
    expect(byTestId('state-api-key').textContent).toContain(messages.credentials.from['this run']);
  });

  it('show that the backend refused them, and try them again', async () => {
    const refusal = createProblem('credentials_refused', 'Invalid username/password.', 'Try again');
    const { desk } = await renderDesk((of) => (of.panelView.refused_credentials = refusal), 'credentials');
    expect(byTestId('refused-credentials').textContent).toContain('Invalid username/password.');
    await fireEvent.click(byTestId('retry-credentials'));
    await waitFor(() => expect(screen.queryByTestId('refused-credentials')).toBeNull());
    expect(desk.panelActions).toEqual([{ kind: 'retry_credentials' }]);
  });

  it('show a locked keychain, and unlock it', async () => {
    const { desk } = await renderDesk((of) => (of.panelView.keychain = keychainLockedProblem), 'credentials');
    expect(byTestId('keychain').textContent).toContain('Login');
    // It may have a credential that the panel cannot see.
    expect(byTestId('state-session-token').textContent).toContain('Not known');
    await fireEvent.click(byTestId('unlock'));
    await waitFor(() => expect(screen.queryByTestId('keychain')).toBeNull());
    expect(desk.panelActions).toEqual([{ kind: 'unlock_keychain' }]);
  });
});

describe('Sandbox', () => {
  it('uses another scenario', async () => {
    const { desk } = await renderDesk(() => {}, 'sandbox');
    await fireEvent.click(byTestId('scenario-stalls'));
    await waitFor(() => expect(resultText('scenario')).toBe(messages.sandbox.isScenario('stalls')));
    expect(desk.panelActions).toEqual([{ kind: 'set_scenario', name: 'stalls' }]);
  });

  it('runs faster, or shows the refusal', async () => {
    const { desk } = await renderDesk(() => {}, 'sandbox');
    await fireEvent.click(byTestId('speed-60'));
    await waitFor(() => expect(resultText('speed')).toBe(messages.sandbox.isSpeed(60)));
    await write('speed-other', '2,5');
    await submit('speed-other');
    await waitFor(() => expect(resultText('speed')).toBe(messages.sandbox.isSpeed(2.5)));
    await write('speed-other', '5000');
    await submit('speed-other');
    await waitFor(() => expect(resultText('speed')).toContain('A speed of 5000'));
    await write('speed-other', 'fast');
    await submit('speed-other');
    await waitFor(() => expect(resultText('speed')).toContain(messages.sandbox.unfit('fast')));
    expect(desk.panelActions).toHaveLength(3);
  });

  it('activates the faults of an endpoint, and removes them', async () => {
    const { desk } = await renderDesk(() => {}, 'sandbox');
    expect(screen.queryByTestId('fault-ignore_range')).toBeNull();
    await fireEvent.click(byTestId('endpoint-file'));
    expect(screen.queryByTestId('fault-wrong_shape')).toBeNull();
    await fireEvent.click(byTestId('fault-ignore_range'));
    await fireEvent.click(byTestId('fault-next'));
    await waitFor(() => expect(byTestId('faults').textContent).toContain('ignore_range'));
    expect(desk.panelActions).toEqual([
      { kind: 'add_fault', on: 'file', fault: 'ignore_range', every: false },
    ]);
    // The fault for files is not available for login: the first available one is used.
    await fireEvent.click(byTestId('endpoint-login'));
    await fireEvent.click(byTestId('fault-every'));
    await waitFor(() =>
      expect(desk.panelActions[1]).toEqual({ kind: 'add_fault', on: 'login', fault: 'status', every: true }),
    );
    await fireEvent.click(byTestId('faults-end'));
    await waitFor(() => expect(byTestId('faults').textContent).toBe(messages.sandbox.faultsNone));
  });

  it('says when the backend is a real one', async () => {
    await renderDesk((of) => (of.panelView.sandbox = null), 'sandbox');
    expect(byTestId('page').textContent).toContain(messages.sandbox.none);
  });
});

describe('Display', () => {
  it.each<[string, string, object]>([
    ['monitor-eDP-1', 'monitor', { monitor: 'eDP-1' }],
    ['language-choice-de', 'language', { language: 'de' }],
    ['idle-seconds-120', 'idle', { idle_seconds: 120 }],
    ['awake-off', 'awake', { keep_awake: false }],
    ['sounds-on', 'sounds', { sounds: true }],
    ['voice-on', 'voice', { voice: true }],
  ])('%s changes that alone', async (id, field, change) => {
    const { desk } = await renderDesk(() => {}, 'display');
    const before = desk.panelView.display;
    await fireEvent.click(byTestId(id));
    await waitFor(() => expect(resultText(field)).not.toBe(''));
    expect(desk.panelActions).toEqual([{ kind: 'set_display', display: { ...before, ...change } }]);
    expect(byTestId(id).getAttribute('aria-checked')).toBe('true');
  });

  it('keeps the chosen monitor in the list while it is unplugged, and marks it', async () => {
    const { desk } = await renderDesk((of) => (of.panelView.display.monitor = 'HDMI-7'), 'display');
    expect(byTestId('monitor-HDMI-7').getAttribute('aria-checked')).toBe('true');
    expect(byTestId('monitor-HDMI-7').textContent).toContain(messages.display.unplugged);
    await fireEvent.click(byTestId('monitor-none'));
    await waitFor(() => expect(screen.queryByTestId('monitor-HDMI-7')).toBeNull());
    expect(desk.panelView.display.monitor).toBeNull();
  });

  it('shows the languages with a voice, and updates them', async () => {
    let voices: { lang: string }[] = [];
    const heard = new Set<() => void>();
    vi.stubGlobal('speechSynthesis', {
      getVoices: () => voices,
      addEventListener: (_: string, listener: () => void) => heard.add(listener),
      removeEventListener: (_: string, listener: () => void) => heard.delete(listener),
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const { desk } = await renderDesk(() => {}, 'display');
    expect(byTestId('voices').textContent).toBe(messages.display.voices([], 6));
    voices = [{ lang: 'en-GB' }, { lang: 'zh_CN' }, { lang: 'pt-BR' }];
    for (const listener of heard) listener();
    await tick();
    expect(byTestId('voices').textContent).toBe(
      'Voices on this machine: English, Simplified Chinese. Elsewhere the idle warning is two soft notes.',
    );
    voices = desk.panelView.languages.map((lang) => ({ lang }));
    for (const listener of heard) listener();
    await tick();
    expect(byTestId('voices').textContent).toBe(messages.display.voices(desk.panelView.languages, 6));
    await fireEvent.click(byTestId('section-health'));
    await waitFor(() => expect(heard.size).toBe(0));
  });

  it('turns kiosk mode on and off', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    await fireEvent.click(byTestId('kiosk-on'));
    await waitFor(() => expect(resultText('kiosk')).toBe(messages.display.kioskOn));
    expect(byTestId('kiosk-on').getAttribute('aria-checked')).toBe('true');
    expect(screen.queryByTestId('kiosk-flag')).toBeNull();
    await fireEvent.click(byTestId('kiosk-off'));
    await waitFor(() => expect(resultText('kiosk')).toBe(messages.display.kioskOff));
    expect(desk.panelActions.map((act) => act.kind === 'set_kiosk_mode' && act.on)).toEqual([true, false]);
  });

  it('shows the kiosk mode in force, and that the command line set it', async () => {
    const byFlag = { on: true, set: false, by_flag: true };
    const { desk } = await renderDesk((of) => (of.panelView.kiosk_mode = byFlag), 'display');
    expect(byTestId('kiosk-on').getAttribute('aria-checked')).toBe('true');
    expect(byTestId('kiosk-flag').textContent).toBe(messages.display.kioskFlag.replaceAll('`', ''));
    await fireEvent.click(byTestId('kiosk-off'));
    await waitFor(() => expect(byTestId('kiosk-off').getAttribute('aria-checked')).toBe('true'));
    expect(byTestId('kiosk-flag').textContent).toBe(messages.display.kioskFlagOff.replaceAll('`', ''));
    expect(screen.queryByTestId('kiosk-keep')).toBeNull();
    await fireEvent.click(byTestId('kiosk-on'));
    await waitFor(() => expect(screen.queryByTestId('kiosk-flag')).toBeNull());
    expect(desk.panelView.kiosk_mode).toEqual({ on: true, set: true, by_flag: true });
  });

  it('saves the kiosk mode of this run', async () => {
    const byFlag = { on: true, set: false, by_flag: true };
    const { desk } = await renderDesk((of) => (of.panelView.kiosk_mode = byFlag), 'display');
    await fireEvent.click(byTestId('kiosk-keep'));
    await waitFor(() => expect(screen.queryByTestId('kiosk-flag')).toBeNull());
    expect(desk.panelActions).toEqual([{ kind: 'set_kiosk_mode', on: true }]);
  });

  it('saves texts, and removes empty ones', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    await write('text-attract', '  Come closer.  ');
    await submit('text-attract');
    await waitFor(() => expect(resultText('attract-en')).toBe(messages.texts.saved([])));
    expect(desk.panelView.display.attract_text).toEqual({ en: 'Come closer.' });
    await waitFor(() => expect(value('text-attract')).toBe('Come closer.'));
    await write('text-attract', '');
    await submit('text-attract');
    await waitFor(() => expect(resultText('attract-en')).toBe(messages.texts.removed([])));
    expect(desk.panelView.display.attract_text).toEqual({});
    expect(byTestId('save-attract').getAttribute('aria-disabled')).toBe('true');
    await submit('text-attract');
    expect(desk.panelActions).toHaveLength(2);
  });

  it('refuses invalid idle seconds', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    for (const nonsense of ['5', '4000', '30.5', 'x', '']) {
      await write('idle-other', nonsense);
      await submit('idle-other');
      await waitFor(() => expect(resultText('idle')).toContain(messages.display.idleUnfit(nonsense)));
    }
    expect(desk.panelActions).toEqual([]);
  });

  it('takes a PNG as the logo, and no other file', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    const choose = async (file: File) => {
      Object.defineProperty(byTestId('logo-file'), 'files', { value: [file], configurable: true });
      await fireEvent.change(byTestId('logo-file'));
    };
    await choose(new File(['<svg/>'], 'logo.svg'));
    await waitFor(() => expect(resultText('logo')).toContain(messages.display.noPng('logo.svg')));
    await choose(new File([new Uint8Array(2 * 1024 * 1024 + 1)], 'large.png'));
    await waitFor(() => expect(resultText('logo')).toContain('“large.png” has 2.1 MB'));
    expect(desk.panelActions).toEqual([]);
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 255]);
    await choose(new File([png], 'logo.png'));
    await waitFor(() => expect(resultText('logo')).toBe(messages.display.logoSaved));
    const [act] = desk.panelActions;
    expect(act?.kind === 'set_logo' && [...atob(act.png)].map((one) => one.charCodeAt(0))).toEqual([...png]);
    await fireEvent.click(byTestId('logo-remove'));
    await waitFor(() => expect(desk.panelView.display.logo).toBe(false));
  });
});

describe('Retention', () => {
  it.each<[string, number | null]>([
    ['keep-0', 0],
    ['keep-24', 24],
  ])('%s is kept for so long', async (id, hours) => {
    const { desk } = await renderDesk(() => {}, 'retention');
    await fireEvent.click(byTestId(id));
    await waitFor(() => expect(resultText('keep')).toBe(messages.retention.kept(hours)));
    expect(desk.panelView.keep_hours).toBe(hours);
  });

  it('takes other hours, shows them, and forever again', async () => {
    const { desk } = await renderDesk(() => {}, 'retention');
    await write('keep-other', '36');
    await submit('keep-other');
    await waitFor(() => expect(byTestId('keep-36').getAttribute('aria-checked')).toBe('true'));
    await write('keep-other', '-1');
    await submit('keep-other');
    await waitFor(() => expect(resultText('keep')).toContain(messages.retention.unfit('-1')));
    await fireEvent.click(byTestId('keep-none'));
    await waitFor(() => expect(desk.panelView.keep_hours).toBeNull());
  });

  it('wipes after a confirmation with the number of visits', async () => {
    const { desk } = await renderDesk(() => {}, 'retention');
    await fireEvent.click(byTestId('wipe'));
    await waitFor(() => expect(byTestId('question').textContent).toContain('Wipe 6 visits?'));
    expect(byTestId('question').textContent).toContain('1 visit in progress is not affected');
    expect(desk.panelActions).toEqual([]);
    await fireEvent.click(byTestId('question-yes'));
    await waitFor(() => expect(resultText('wipe')).toBe(messages.retention.wiped(6)));
    expect(desk.pastVisits).toHaveLength(1);
    await waitFor(() => expect(screen.queryByTestId('wipe')).toBeNull());
  });
});

describe('PIN and quit', () => {
  const fill = async (current: string, next: string, repeat: string) => {
    await write('pin-current', current);
    await write('pin-next', next);
    await write('pin-repeat', repeat);
    await submit('pin-current');
    await tick();
  };
  const values = () =>
    ['current', 'next', 'repeat']
      .map((which) => (byTestId(`pin-${which}`) as HTMLInputElement).value)
      .join('');

  it('changes the PIN, and clears the fields at once', async () => {
    const { desk } = await renderDesk(() => {}, 'access');
    await fill('1234', '2580', '2580');
    await waitFor(() => expect(resultText('pin')).toBe(messages.access.changed));
    expect([desk.pin, values()]).toEqual(['2580', '']);
  });

  it.each([
    ['1234', '25', '25', messages.access.unfit],
    ['1234', 'abcd', 'abcd', messages.access.unfit],
    ['1234', '2580', '2581', messages.access.differ],
    ['9999', '2580', '2580', 'That is not the current PIN.'],
  ])('refuses %s, %s, %s', async (current, next, repeat, said) => {
    const { desk } = await renderDesk(() => {}, 'access');
    await fill(current, next, repeat);
    await waitFor(() => expect(resultText('pin')).toContain(said));
    expect([desk.pin, values()]).toEqual(['1234', '']);
  });

  it('quits after a confirmation', async () => {
    const { desk } = await renderDesk(() => {}, 'access');
    await fireEvent.click(byTestId('quit'));
    await waitFor(() => expect(byTestId('question').textContent).toContain(messages.access.askText(1)));
    await fireEvent.click(byTestId('question-yes'));
    await waitFor(() => expect(desk.panelActions).toEqual([{ kind: 'quit' }]));
  });
});

describe('while the program works on something', () => {
  /** A call that waits until it is released. */
  const hold = (desk: FakeDesk, call: 'checkHealth' | 'runPanelAction') => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const real = desk[call].bind(desk) as (...args: unknown[]) => Promise<unknown>;
    vi.spyOn(desk, call).mockImplementation((async (...args: unknown[]) => {
      await held;
      return real(...args);
    }) as never);
    return () => release();
  };

  it('the history is read all the same', async () => {
    const { desk } = await renderDesk(() => {}, 'health');
    await waitFor(() => expect(byTestId('health-summary')).toBeTruthy());
    const release = hold(desk, 'checkHealth');
    await fireEvent.click(byTestId('health-check'));
    byTestId('section-history').click();
    await waitFor(() => expect(byTestId('history')).toBeTruthy());
    release();
  });

  it('another action waits, and starts from the result of the first', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    const release = hold(desk, 'runPanelAction');
    await fireEvent.click(byTestId('idle-seconds-30'));
    await fireEvent.click(byTestId('idle-seconds-60'));
    await fireEvent.click(byTestId('voice-on'));
    await waitFor(() => expect(byTestId('told-voice').textContent).toContain(messages.working));
    release();
    await waitFor(() => expect(desk.panelView.display.voice).toBe(true));
    expect(desk.panelView.display.idle_seconds).toBe(60);
    await waitFor(() => expect(resultText('voice')).toBe(messages.display.voiceOn));
  });

  it('a repeated press of the same button does nothing more', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    const release = hold(desk, 'runPanelAction');
    for (let i = 0; i < 3; i += 1) await fireEvent.click(byTestId('kiosk-on'));
    release();
    await waitFor(() => expect(byTestId('kiosk-on').getAttribute('aria-checked')).toBe('true'));
    expect(desk.panelActions).toEqual([{ kind: 'set_kiosk_mode', on: true }]);
  });

  it('nothing that waits is done after the desk was left', async () => {
    const { desk } = await renderDesk(() => {}, 'display');
    const release = hold(desk, 'runPanelAction');
    await fireEvent.click(byTestId('idle-seconds-30'));
    await fireEvent.click(byTestId('voice-on'));
    byTestId('leave').click();
    release();
    await waitFor(() => expect(desk.panelActions).toContainEqual({ kind: 'lock' }));
    await tick();
    expect(desk.panelView.display.voice).toBe(false);
  });
});
