import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Texts } from '../../generated/view';
import { keychainLocked, refusal } from '../../../fake/desk-fixtures';
import { at, focused, openDesk } from '../../../fake/render-desk';
import { W } from '../messages';

const told = (field: string) => at(`told-${field}`).textContent?.trim();
const no = refusal('storage_failed', 'The disk is full', 'Free some space');

async function write(id: string, value: string): Promise<void> {
  await fireEvent.input(at(id), { target: { value } });
}
const value = (id: string) => (at(id) as HTMLTextAreaElement).value;
const submit = (id: string) => fireEvent.submit(at(id).closest('form') as HTMLFormElement);

describe('Backend', () => {
  it('uses another profile at once, and says so', async () => {
    const { desk } = await openDesk();
    await fireEvent.click(at('profile-booth'));
    await waitFor(() => expect(told('profile')).toBe(W.backend.used('booth')));
    expect(desk.acts).toEqual([{ kind: 'use_profile', name: 'booth' }]);
    expect(at('profile-booth').getAttribute('aria-checked')).toBe('true');
    expect(screen.getByText(W.backend.phonesReal)).toBeTruthy();
  });

  it('does not choose a profile that is flawed, and says why', async () => {
    const { desk } = await openDesk();
    expect(at('profile-relay').textContent).toContain('{token}');
    await fireEvent.click(at('profile-relay'));
    expect(desk.acts).toEqual([]);
  });

  it('says a refusal beside its field: what, and what to do', async () => {
    const { desk } = await openDesk((of) => of.refusals.set('use_profile', no));
    await fireEvent.click(at('profile-booth'));
    await waitFor(() => expect(told('profile')).toBe('The disk is full Free some space'));
    expect(at('profile-sandbox').getAttribute('aria-checked')).toBe('true');
    expect(told('phones')).toBe('');
    expect(desk.view.backend.profile).toBe('sandbox');
  });

  it('lets phones in, and shows where', async () => {
    await openDesk();
    await fireEvent.click(at('phones-in'));
    await waitFor(() => expect(at('phones-at').textContent).toBe('http://192.168.1.20:8787'));
    await fireEvent.click(at('phones-out'));
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
    const { desk } = await openDesk(() => {}, 'credentials');
    const act = vi.spyOn(desk, 'act');
    await fireEvent.click(at('set-session-token'));
    await waitFor(() => expect(focused()).toBe('value-session-token'));
    const input = at('value-session-token') as HTMLInputElement;
    expect([input.type, input.autocomplete]).toEqual(['password', 'off']);
    await write('value-session-token', secret);
    const sent = submit('value-session-token');
    // Gone from the page before the program has answered.
    expect(input.value).toBe('');
    await sent;
    expect(act.mock.calls[0]?.[0]).toEqual({ kind: 'set_credential', slot: 'session-token', value: secret });
    await waitFor(() => expect(at('state-session-token').textContent).toContain('…77'));
    expect(told('credential-session-token')).toBe(W.credentials.isSet('Session token'));
    expect(everywhere()).not.toContain(secret);
    await waitFor(() => expect(focused()).toBe('set-session-token'));
  });

  it('that are refused leave no value either', async () => {
    await openDesk((of) => of.refusals.set('set_credential', no), 'credentials');
    await fireEvent.click(at('set-api-key'));
    await waitFor(() => expect(at('value-api-key')).toBeTruthy());
    await write('value-api-key', secret);
    await submit('value-api-key');
    await waitFor(() => expect(told('credential-api-key')).toContain('The disk is full'));
    expect((at('value-api-key') as HTMLInputElement).value).toBe('');
    expect(everywhere()).not.toContain(secret);
  });

  it('are not sent when nothing was entered', async () => {
    const { desk } = await openDesk(() => {}, 'credentials');
    await fireEvent.click(at('set-api-key'));
    await submit('value-api-key');
    await waitFor(() => expect(told('credential-api-key')).toContain(W.credentials.nothing));
    expect(desk.acts).toEqual([]);
  });

  it('are removed after a question; Cancel has the focus', async () => {
    const { desk } = await openDesk(() => {}, 'credentials');
    await fireEvent.click(at('remove-api-key'));
    await waitFor(() => expect(focused()).toBe('question-no'));
    await fireEvent.click(at('question-no'));
    expect(desk.acts).toEqual([]);
    await fireEvent.click(at('remove-api-key'));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(at('state-api-key').textContent).toContain(W.credentials.not));
    expect(desk.acts).toEqual([{ kind: 'remove_credential', slot: 'api-key' }]);
  });

  it('from the environment are neither removed nor replaced here', async () => {
    await openDesk(() => {}, 'credentials');
    expect(screen.queryByTestId('remove-password')).toBeNull();
    // One in the keychain would not be used.
    expect(screen.queryByTestId('set-password')).toBeNull();
    expect(at('row-credential-password').textContent).toContain('COPRESENCE_PASSWORD');
  });

  it('are named by either way to write their slots', async () => {
    await openDesk((of) => {
      of.view.credentials = [{ slot: 'api_key', ends_in: null, set: true, origin: 'this run' }];
    }, 'credentials');
    expect(at('row-credential-api-key').textContent).toContain('API key');
    expect(at('state-api-key').textContent).toContain(W.credentials.from['this run']);
  });

  it('say when the keychain is locked, and have it unlocked', async () => {
    const { desk } = await openDesk((of) => (of.view.keychain = keychainLocked), 'credentials');
    expect(at('keychain').textContent).toContain('Login');
    await fireEvent.click(at('unlock'));
    await waitFor(() => expect(screen.queryByTestId('keychain')).toBeNull());
    expect(desk.acts).toEqual([{ kind: 'unlock_keychain' }]);
  });
});

describe('Sandbox', () => {
  it('goes through another scenario', async () => {
    const { desk } = await openDesk(() => {}, 'sandbox');
    await fireEvent.click(at('scenario-stalls'));
    await waitFor(() => expect(told('scenario')).toBe(W.sandbox.isScenario('stalls')));
    expect(desk.acts).toEqual([{ kind: 'set_scenario', name: 'stalls' }]);
  });

  it('passes faster, or says why not', async () => {
    const { desk } = await openDesk(() => {}, 'sandbox');
    await fireEvent.click(at('speed-60'));
    await waitFor(() => expect(told('speed')).toBe(W.sandbox.isSpeed(60)));
    await write('speed-other', '2,5');
    await submit('speed-other');
    await waitFor(() => expect(told('speed')).toBe(W.sandbox.isSpeed(2.5)));
    await write('speed-other', '5000');
    await submit('speed-other');
    await waitFor(() => expect(told('speed')).toContain('A speed of 5000'));
    await write('speed-other', 'fast');
    await submit('speed-other');
    await waitFor(() => expect(told('speed')).toContain(W.sandbox.unfit('fast')));
    expect(desk.acts).toHaveLength(3);
  });

  it('puts on the faults that an endpoint can have, and takes them off', async () => {
    const { desk } = await openDesk(() => {}, 'sandbox');
    expect(screen.queryByTestId('fault-ignore_range')).toBeNull();
    await fireEvent.click(at('endpoint-file'));
    expect(screen.queryByTestId('fault-wrong_shape')).toBeNull();
    await fireEvent.click(at('fault-ignore_range'));
    await fireEvent.click(at('fault-next'));
    await waitFor(() => expect(at('faults').textContent).toContain('ignore_range'));
    expect(desk.acts).toEqual([{ kind: 'add_fault', on: 'file', fault: 'ignore_range', every: false }]);
    // What was chosen for files cannot be put on a login: the first that can is.
    await fireEvent.click(at('endpoint-login'));
    await fireEvent.click(at('fault-every'));
    await waitFor(() =>
      expect(desk.acts[1]).toEqual({ kind: 'add_fault', on: 'login', fault: 'status', every: true }),
    );
    await fireEvent.click(at('faults-end'));
    await waitFor(() => expect(at('faults').textContent).toBe(W.sandbox.faultsNone));
  });

  it('says so when the backend is a real one', async () => {
    await openDesk((of) => (of.view.sandbox = null), 'sandbox');
    expect(at('page').textContent).toContain(W.sandbox.none);
  });
});

describe('Display', () => {
  it.each<[string, string, object]>([
    ['monitor-eDP-1', 'monitor', { monitor: 'eDP-1' }],
    ['language-choice-de', 'language', { language: 'de' }],
    ['idle-seconds-120', 'idle', { idle_seconds: 120 }],
    ['voice-on', 'voice', { voice: true }],
  ])('%s changes that alone', async (id, field, change) => {
    const { desk } = await openDesk(() => {}, 'display');
    const before = desk.view.display;
    await fireEvent.click(at(id));
    await waitFor(() => expect(told(field)).not.toBe(''));
    expect(desk.acts).toEqual([{ kind: 'set_display', display: { ...before, ...change } }]);
    expect(at(id).getAttribute('aria-checked')).toBe('true');
  });

  it('keeps the chosen monitor in the list while it is unplugged, and says so', async () => {
    const { desk } = await openDesk((of) => (of.view.display.monitor = 'HDMI-7'), 'display');
    expect(at('monitor-HDMI-7').getAttribute('aria-checked')).toBe('true');
    expect(at('monitor-HDMI-7').textContent).toContain(W.display.unplugged);
    await fireEvent.click(at('monitor-none'));
    await waitFor(() => expect(screen.queryByTestId('monitor-HDMI-7')).toBeNull());
    expect(desk.view.display.monitor).toBeNull();
  });

  it('says for which languages there is a voice, and when that changes', async () => {
    let voices: { lang: string }[] = [];
    const heard = new Set<() => void>();
    vi.stubGlobal('speechSynthesis', {
      getVoices: () => voices,
      addEventListener: (_: string, listener: () => void) => heard.add(listener),
      removeEventListener: (_: string, listener: () => void) => heard.delete(listener),
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const { desk } = await openDesk(() => {}, 'display');
    expect(at('voices').textContent).toBe(W.display.voices([], 6));
    voices = [{ lang: 'en-GB' }, { lang: 'zh_CN' }, { lang: 'pt-BR' }];
    for (const listener of heard) listener();
    await tick();
    expect(at('voices').textContent).toBe(
      'Voices on this machine: English, Simplified Chinese. Elsewhere the idle warning is two soft notes.',
    );
    voices = desk.view.languages.map((lang) => ({ lang }));
    for (const listener of heard) listener();
    await tick();
    expect(at('voices').textContent).toBe(W.display.voices(desk.view.languages, 6));
    await fireEvent.click(at('section-health'));
    await waitFor(() => expect(heard.size).toBe(0));
  });

  it('guards the window, and lets it go', async () => {
    const { desk } = await openDesk(() => {}, 'display');
    await fireEvent.click(at('kiosk-on'));
    await waitFor(() => expect(told('kiosk')).toBe(W.display.kioskOn));
    expect(at('kiosk-on').getAttribute('aria-checked')).toBe('true');
    expect(screen.queryByTestId('kiosk-flag')).toBeNull();
    await fireEvent.click(at('kiosk-off'));
    await waitFor(() => expect(told('kiosk')).toBe(W.display.kioskOff));
    expect(desk.acts.map((act) => act.kind === 'set_kiosk_mode' && act.on)).toEqual([true, false]);
  });

  it('shows the kiosk mode that is in force, and that the command line wants it', async () => {
    const byFlag = { on: true, set: false, by_flag: true };
    const { desk } = await openDesk((of) => (of.view.kiosk_mode = byFlag), 'display');
    expect(at('kiosk-on').getAttribute('aria-checked')).toBe('true');
    expect(at('kiosk-flag').textContent).toBe(W.display.kioskFlag.replaceAll('`', ''));
    await fireEvent.click(at('kiosk-off'));
    await waitFor(() => expect(at('kiosk-off').getAttribute('aria-checked')).toBe('true'));
    expect(at('kiosk-flag').textContent).toBe(W.display.kioskFlagOff.replaceAll('`', ''));
    expect(screen.queryByTestId('kiosk-keep')).toBeNull();
    await fireEvent.click(at('kiosk-on'));
    await waitFor(() => expect(screen.queryByTestId('kiosk-flag')).toBeNull());
    expect(desk.view.kiosk_mode).toEqual({ on: true, set: true, by_flag: true });
  });

  it('sets the kiosk mode of this run for the next, too', async () => {
    const byFlag = { on: true, set: false, by_flag: true };
    const { desk } = await openDesk((of) => (of.view.kiosk_mode = byFlag), 'display');
    await fireEvent.click(at('kiosk-keep'));
    await waitFor(() => expect(screen.queryByTestId('kiosk-flag')).toBeNull());
    expect(desk.acts).toEqual([{ kind: 'set_kiosk_mode', on: true }]);
  });

  it('keeps texts, and takes an empty one away', async () => {
    const { desk } = await openDesk(() => {}, 'display');
    await write('text-attract', '  Come closer.  ');
    await submit('text-attract');
    await waitFor(() => expect(told('attract-en')).toBe(W.texts.saved([])));
    expect(desk.view.display.attract_text).toEqual({ en: 'Come closer.' });
    expect(value('text-attract')).toBe('Come closer.');
    await write('text-attract', '');
    await submit('text-attract');
    await waitFor(() => expect(told('attract-en')).toBe(W.texts.removed([])));
    expect(desk.view.display.attract_text).toEqual({});
    expect(at('save-attract').getAttribute('aria-disabled')).toBe('true');
    await submit('text-attract');
    expect(desk.acts).toHaveLength(2);
  });

  it('refuses idle seconds that make no sense', async () => {
    const { desk } = await openDesk(() => {}, 'display');
    for (const nonsense of ['5', '4000', '30.5', 'x', '']) {
      await write('idle-other', nonsense);
      await submit('idle-other');
      await waitFor(() => expect(told('idle')).toContain(W.display.idleUnfit(nonsense)));
    }
    expect(desk.acts).toEqual([]);
  });

  it('takes a PNG as the logo, and no other file', async () => {
    const { desk } = await openDesk(() => {}, 'display');
    const choose = async (file: File) => {
      Object.defineProperty(at('logo-file'), 'files', { value: [file], configurable: true });
      await fireEvent.change(at('logo-file'));
    };
    await choose(new File(['<svg/>'], 'logo.svg'));
    await waitFor(() => expect(told('logo')).toContain(W.display.noPng('logo.svg')));
    await choose(new File([new Uint8Array(2 * 1024 * 1024 + 1)], 'large.png'));
    await waitFor(() => expect(told('logo')).toContain('“large.png” has 2.1 MB'));
    expect(desk.acts).toEqual([]);
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 255]);
    await choose(new File([png], 'logo.png'));
    await waitFor(() => expect(told('logo')).toBe(W.display.logoSaved));
    const [act] = desk.acts;
    expect(act?.kind === 'set_logo' && [...atob(act.png)].map((one) => one.charCodeAt(0))).toEqual([...png]);
    await fireEvent.click(at('logo-remove'));
    await waitFor(() => expect(desk.view.display.logo).toBe(false));
  });
});

describe('Retention', () => {
  it.each<[string, number | null]>([
    ['keep-0', 0],
    ['keep-24', 24],
  ])('%s is kept for so long', async (id, hours) => {
    const { desk } = await openDesk(() => {}, 'retention');
    await fireEvent.click(at(id));
    await waitFor(() => expect(told('keep')).toBe(W.retention.kept(hours)));
    expect(desk.view.keep_hours).toBe(hours);
  });

  it('takes other hours, shows them, and for ever again', async () => {
    const { desk } = await openDesk(() => {}, 'retention');
    await write('keep-other', '36');
    await submit('keep-other');
    await waitFor(() => expect(at('keep-36').getAttribute('aria-checked')).toBe('true'));
    await write('keep-other', '-1');
    await submit('keep-other');
    await waitFor(() => expect(told('keep')).toContain(W.retention.unfit('-1')));
    await fireEvent.click(at('keep-none'));
    await waitFor(() => expect(desk.view.keep_hours).toBeNull());
  });

  it('wipes after a question that says how many', async () => {
    const { desk } = await openDesk(() => {}, 'retention');
    await fireEvent.click(at('wipe'));
    await waitFor(() => expect(at('question').textContent).toContain('Wipe 6 visits?'));
    expect(at('question').textContent).toContain('1 visit in progress is not affected');
    expect(desk.acts).toEqual([]);
    await fireEvent.click(at('question-yes'));
    await waitFor(() => expect(told('wipe')).toBe(W.retention.wiped(6)));
    expect(desk.past).toHaveLength(1);
    await waitFor(() => expect(screen.queryByTestId('wipe')).toBeNull());
  });
});

describe('History', () => {
  it('lists the visits with their faces, and forgets one after a question', async () => {
    const { desk } = await openDesk((of) => {
      of.past = of.past.map((one) => ({
        ...one,
        portrait: one.bytes > 0 ? 'avatar://a/portrait.png' : null,
      }));
    }, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    expect(document.querySelectorAll('img[src^="avatar:"]')).toHaveLength(4);
    // A passer-by sees nobody until the operator says so.
    expect(document.querySelectorAll('img.veiled')).toHaveLength(4);
    await fireEvent.click(at('history-faces'));
    expect(document.querySelectorAll('img.veiled')).toHaveLength(0);
    const [live, second] = desk.past;
    expect(screen.queryByTestId(`forget-${live?.visit}`)).toBeNull();
    await fireEvent.click(at(`forget-${second?.visit}`));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(6));
    expect(told('history')).toBe(W.history.forgotten);
    expect(desk.acts).toEqual([{ kind: 'forget_visit', visit: second?.visit }]);
  });

  it('tells how each ended by a shape, and its folder only where it is opened', async () => {
    const { desk } = await openDesk(() => {}, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    const shapes = [...at('history').querySelectorAll<HTMLElement>('.shape')].map(
      ({ dataset }) => dataset.stand,
    );
    expect(shapes).toEqual(['unknown', 'good', 'good', 'doubtful', 'doubtful', 'bad', 'good']);
    expect(at('history').textContent).not.toContain('avatars/');
    const [, second, third] = desk.past;
    await fireEvent.click(at(`details-${second?.visit}`));
    await fireEvent.click(at(`details-${third?.visit}`));
    expect(screen.getByTestId('past-details').textContent).toContain(third?.directory);
    await fireEvent.click(at(`details-${third?.visit}`));
    expect(screen.queryByTestId('past-details')).toBeNull();
  });

  it('keeps the visit in the list when it could not be forgotten', async () => {
    const { desk } = await openDesk((of) => of.refusals.set('forget_visit', no), 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(7));
    await fireEvent.click(at(`forget-${desk.past[1]?.visit}`));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(told('history')).toContain('The disk is full'));
    expect(screen.getAllByTestId('past-visit')).toHaveLength(7);
  });

  it('does not put thousands on the page at once', async () => {
    await openDesk((of) => {
      const [one] = of.past.slice(1);
      if (one) of.past = Array.from({ length: 250 }, (_, i) => ({ ...one, visit: `v${i}` }));
    }, 'history');
    await waitFor(() => expect(screen.getAllByTestId('past-visit')).toHaveLength(100));
    await fireEvent.click(at('history-more'));
    expect(screen.getAllByTestId('past-visit')).toHaveLength(200);
    await fireEvent.click(at('history-more'));
    expect(screen.queryByTestId('history-more')).toBeNull();
  });
});

describe('Health', () => {
  it('looks when it is opened and when asked, and says remedies', async () => {
    const { desk } = await openDesk(() => {}, 'health');
    await waitFor(() => expect(at('health').textContent).toContain('101.1 MB free'));
    expect(at('health').textContent).toContain('Free some space');
    expect(at('health-summary').textContent).toBe(W.health.summary(1, 1));
    desk.healthView = desk.healthView.map((part) => ({ ...part, stand: 'good' }));
    await fireEvent.click(at('health-check'));
    await waitFor(() => expect(at('health-summary').textContent).toBe(W.health.summary(0, 0)));
    expect(at('health-summary').dataset.stand).toBe('good');
    expect(at('health-at').textContent).toMatch(/^Checked at \d/);
  });

  it('says what is wrong first, and leads to where it is mended', async () => {
    await openDesk(() => {}, 'health');
    const told = () => [...at('health').querySelectorAll('[data-testid^=health-]')];
    await waitFor(() => expect(told().length).toBeGreaterThan(5));
    expect(
      told()
        .slice(0, 2)
        .map((one) => one.getAttribute('data-testid')),
    ).toEqual(['health-disk', 'health-profiles']);
    expect(screen.queryByTestId('go-settings')).toBeNull();
    at('go-disk').focus();
    await fireEvent.click(at('go-disk'));
    await waitFor(() => expect(at('section').dataset.section).toBe('retention'));
    await waitFor(() => expect(focused()).toBe('section-retention'));
  });

  it('warns on the rail before anybody asks, and no longer once it is mended', async () => {
    const { desk } = await openDesk((of) => {
      of.view.backend = { ...of.view.backend, sandbox: false };
    }, 'credentials');
    await waitFor(() => expect(at('health-badge').getAttribute('aria-label')).toBe('1 problem'));
    desk.healthView = desk.healthView.map((part) => ({ ...part, stand: 'good' }));
    await fireEvent.click(at('remove-api-key'));
    await fireEvent.click(await screen.findByTestId('question-yes'));
    await waitFor(() => expect(screen.queryByTestId('health-badge')).toBeNull());
  });

  it('that cannot be looked at says nothing by itself', async () => {
    await openDesk((of) => of.refusals.set('health', no), 'backend');
    await tick();
    expect(screen.queryByTestId('health-badge')).toBeNull();
    expect(screen.queryByRole('alert')).toBeNull();
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
    ['current', 'next', 'repeat'].map((which) => (at(`pin-${which}`) as HTMLInputElement).value).join('');

  it('changes the PIN, which leaves the page at once', async () => {
    const { desk } = await openDesk(() => {}, 'access');
    await fill('1234', '2580', '2580');
    await waitFor(() => expect(told('pin')).toBe(W.access.changed));
    expect([desk.pin, values()]).toEqual(['2580', '']);
  });

  it.each([
    ['1234', '25', '25', W.access.unfit],
    ['1234', 'abcd', 'abcd', W.access.unfit],
    ['1234', '2580', '2581', W.access.differ],
    ['9999', '2580', '2580', 'That is not the current PIN.'],
  ])('refuses %s, %s, %s', async (current, next, repeat, said) => {
    const { desk } = await openDesk(() => {}, 'access');
    await fill(current, next, repeat);
    await waitFor(() => expect(told('pin')).toContain(said));
    expect([desk.pin, values()]).toEqual(['1234', '']);
  });

  it('quits after a question', async () => {
    const { desk } = await openDesk(() => {}, 'access');
    await fireEvent.click(at('quit'));
    await waitFor(() => expect(at('question').textContent).toContain(W.access.askText(1)));
    await fireEvent.click(at('question-yes'));
    await waitFor(() => expect(desk.acts).toEqual([{ kind: 'quit' }]));
  });
});

describe('Texts by language', () => {
  const texts = (consent: Texts, attract_text: Texts = {}, language: string | null = null) =>
    openDesk((of) => (of.view.display = { ...of.view.display, consent, attract_text, language }), 'display');
  const look = async (tag: string) => {
    await fireEvent.click(at(`texts-in-${tag}`));
    await waitFor(() => expect(at('text-consent').lang).toBe(tag));
  };
  const heard = (tag: string) => at(`texts-in-${tag}`).textContent?.replaceAll(/\s+/g, ' ').trim();

  it('are shown one language at a time, the one that visitors are met in first', async () => {
    await texts({ de: 'Wir filmen.', fr: 'Nous filmons.' }, { fr: 'Entrez.' }, 'fr');
    expect(at('texts-in-fr').getAttribute('aria-checked')).toBe('true');
    expect([value('text-attract'), value('text-consent')]).toEqual(['Entrez.', 'Nous filmons.']);
    expect([...document.querySelectorAll('textarea')].map(({ lang }) => lang)).toEqual(['fr', 'fr']);
    expect(screen.getByLabelText(W.texts.inLanguage(W.texts.consent.name, 'French'))).toBe(
      at('text-consent'),
    );
    await look('de');
    expect([value('text-attract'), value('text-consent')]).toEqual(['', 'Wir filmen.']);
  });

  it('say which languages have one, and what the others get instead', async () => {
    await texts({ de: 'Wir filmen.', fr: 'Nous filmons.' }, { fr: 'Entrez.' }, 'fr');
    expect(heard('fr')).toBe('French , Attract text and Consent text written');
    expect(heard('de')).toBe('German , Consent text written');
    expect(heard('ja')).toBe('Japanese , no text');
    expect(at('texts-in-fr').querySelectorAll('i')).toHaveLength(2);
    expect(at('texts-in-ja').querySelectorAll('i')).toHaveLength(0);
    expect(at('note-consent').textContent).toBe(
      'Visitors who chose English, Spanish, Japanese or Simplified Chinese read the French text.',
    );
    expect(at('text-consent').getAttribute('aria-describedby')).toContain('note-consent');
  });

  it('say where there is none, and where there is no first one', async () => {
    await texts({ ja: '撮影します。' }, {}, 'de');
    expect(at('note-attract').textContent).toBe(W.texts.attract_text.none);
    expect(at('note-consent').textContent).toMatch(/read the Japanese text\.$/);
  });

  it('are kept as they are typed while another language is looked at, and saved together', async () => {
    const { desk } = await texts({ en: 'We film.', ja: '撮影します。' });
    await write('text-consent', 'We film you.');
    await look('de');
    expect(value('text-consent')).toBe('');
    expect(heard('en')).toContain(W.texts.unsaved);
    await write('text-consent', ' Wir filmen. ');
    expect(at('save-consent').textContent?.trim()).toBe(W.texts.save(['English', 'German']));
    await look('en');
    expect(value('text-consent')).toBe('We film you.');
    expect(desk.acts).toEqual([]);
    await submit('text-consent');
    await waitFor(() => expect(told('consent-en')).toBe(W.texts.saved(['English', 'German'])));
    expect(desk.view.display.consent).toEqual({ en: 'We film you.', de: 'Wir filmen.', ja: '撮影します。' });
    expect(heard('en')).not.toContain(W.texts.unsaved);
    await look('de');
    expect(value('text-consent')).toBe('Wir filmen.');
    // What is said is of the language that it was said at.
    expect(told('consent-de')).toBe('');
  });

  it('that are too long are brought into view, and nothing is saved', async () => {
    const { desk } = await texts({ en: 'We film.' });
    await look('de');
    await write('text-consent', 'ä'.repeat(601));
    await look('fr');
    await write('text-consent', 'Nous filmons.');
    await submit('text-consent');
    await waitFor(() => expect(told('consent-de')).toContain(W.texts.long('German', 600)));
    expect(at('texts-in-de').getAttribute('aria-checked')).toBe('true');
    expect(focused()).toBe('text-consent');
    expect(at('text-consent').getAttribute('aria-invalid')).toBe('true');
    expect(at('text-attract').getAttribute('aria-invalid')).toBeNull();
    expect(desk.acts).toEqual([]);
    // It is the German text that is refused, and no other.
    await look('fr');
    expect(at('text-consent').getAttribute('aria-invalid')).toBeNull();
    expect(value('text-consent')).toBe('Nous filmons.');
    await look('de');
    expect(value('text-consent')).toHaveLength(601);
    await write('text-consent', 'ä'.repeat(600));
    await submit('text-consent');
    await waitFor(() => expect(told('consent-de')).toBe(W.texts.saved(['German', 'French'])));
  });

  it('stay typed where the program refuses them', async () => {
    await openDesk((of) => of.refusals.set('set_display', no), 'display');
    await write('text-consent', 'We film.');
    await submit('text-consent');
    await waitFor(() => expect(told('consent-en')).toContain('The disk is full'));
    expect(value('text-consent')).toBe('We film.');
    expect(heard('en')).toContain(W.texts.unsaved);
  });

  it('take nothing along that was set meanwhile', async () => {
    const { desk } = await texts({});
    await write('text-consent', 'We film.');
    await fireEvent.click(at('voice-on'));
    await waitFor(() => expect(desk.view.display.voice).toBe(true));
    expect(value('text-consent')).toBe('We film.');
    await submit('text-consent');
    await waitFor(() => expect(desk.view.display.consent).toEqual({ en: 'We film.' }));
    expect(desk.view.display.voice).toBe(true);
  });
});
