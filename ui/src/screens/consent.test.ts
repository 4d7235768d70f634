import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { FakeHost } from '../../fake/host';
import { backend, booths, offline, screens } from '../../fake/fixtures';
import { language, say, speak } from '../state/language-store.svelte';

describe('Consent', () => {
  it('shows the operator’s words, paragraph by paragraph, and nothing of theirs as markup', async () => {
    await show({ kind: 'consent', texts: { en: '  One.\n\n\nTwo <b>bold</b>.\n' } });
    const paragraphs = [...at('consent-text').querySelectorAll('p')].map((one) => one.textContent);
    expect(paragraphs).toEqual(['One.', 'Two <b>bold</b>.']);
  });

  it('goes on, or does not', async () => {
    const host = await show(screens.consent);
    // A press out of habit agrees to nothing.
    expect(focused()).toBe('consent-text');
    await fireEvent.keyDown(at('consent-text'), { key: 'Enter' });
    await fireEvent.click(at('consent-text'));
    expect(host.asked).toEqual([]);
    expect(at('agree').className).toBe(at('not-now').className);
    await fireEvent.click(at('agree'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    expect(host.asked).toEqual(['agree', 'cancel']);
  });

  const texts = { de: 'Wir filmen.', fr: 'Nous filmons.', ja: '撮影します。' };
  const told = () => [at('consent-text').querySelector('p')?.lang, at('consent-text').textContent];

  it('is told in the language of the visitor, who may change it, and is agreed to as it is read', async () => {
    const host = await show({ kind: 'consent', texts });
    speak('fr');
    await waitFor(() => expect(told()).toEqual(['fr', texts.fr]));
    await fireEvent.click(at('language'));
    await fireEvent.click(await screen.findByTestId('tongue-ja'));
    await waitFor(() => expect(told()).toEqual(['ja', texts.ja]));
    expect(at('agree').textContent?.trim()).toBe(say('consent-agree'));
    await fireEvent.click(at('agree'));
    expect(host.agreed).toEqual([texts.ja]);
  });

  it('is told in the booth’s first language where there is none in the visitor’s, and says in which', async () => {
    const first = { kind: 'consent', texts } as const;
    const host = await show(first, new FakeHost(first, {}, backend, { language: 'fr' }));
    speak('es');
    await waitFor(() => expect(told()).toEqual(['fr', texts.fr]));
    expect(document.documentElement.lang).toBe('es');
    await fireEvent.click(at('agree'));
    expect(host.agreed).toEqual([texts.fr]);
    host.set({ language: 'zh-Hans' });
    await waitFor(() => expect(told()).toEqual(['de', texts.de]));
  });

  it('is agreed to as it stands on the screen, not as it was', async () => {
    const host = await show({ kind: 'consent', texts: { en: 'For a day.' } });
    host.show({ kind: 'consent', texts: { en: 'For a year.' } });
    await waitFor(() => expect(told()).toEqual(['en', 'For a year.']));
    await fireEvent.click(at('agree'));
    expect(host.agreed).toEqual(['For a year.']);
  });

  it('says how long is kept what is agreed to', async () => {
    await show(screens.consent, new FakeHost(screens.consent, {}, backend, { keep_hours: 48 }));
    expect(at('kept').textContent).toBe(say('keep-days', { count: 2 }));
  });

  it('says when going on did not work', async () => {
    const host = await show(screens.consent);
    host.refusals.set('agree', offline);
    await fireEvent.click(at('agree'));
    await waitFor(() => expect(at('trouble').textContent).toContain(say('problem-backend-unreachable')));
  });
});

describe('a booth', () => {
  const inBooth = (around: ConstructorParameters<typeof FakeHost>[3]) =>
    new FakeHost(screens.attract, {}, backend, around);

  it('may invite in words of its own', async () => {
    const attract_text = { en: 'Come in & look', ja: 'どうぞ' };
    const host = await show(screens.attract, inBooth({ attract_text }));
    expect(at('attract-text').textContent?.trim()).toBe('Come in & look');
    await fireEvent.click(at('tongue-ja'));
    await waitFor(() => expect(at('attract-text').textContent?.trim()).toBe('どうぞ'));
    await fireEvent.click(at('tongue-fr'));
    await waitFor(() => expect(at('attract-text').textContent?.trim()).toBe('Come in & look'));
    expect([at('attract-text').lang, document.documentElement.lang]).toEqual(['en', 'fr']);
    expect(at('screen').textContent).not.toContain(say('attract-line'));
    host.set({});
    await waitFor(() => expect(at('screen').textContent).toContain(say('attract-line')));
  });

  it('shows its logo in place of the name, which stands in for one that cannot be had', async () => {
    const host = await show(screens.attract, inBooth({ logo: 'avatar://a/logo' }));
    expect(at('logo').getAttribute('src')).toBe('avatar://a/logo');
    expect(document.querySelector('header')?.textContent).not.toContain('Copresence');
    await fireEvent.error(at('logo'));
    await waitFor(() => expect(document.querySelector('header')?.textContent).toContain('Copresence'));
    // Another one is tried anew.
    host.set({ logo: 'avatar://a/logo?2' });
    await waitFor(() => expect(at('logo').getAttribute('src')).toBe('avatar://a/logo?2'));
  });

  it('meets a new visitor in its language, and leaves one who is there theirs', async () => {
    const host = await show(screens.attract, inBooth({ language: 'fr' }));
    await waitFor(() => expect(language()).toBe('fr'));
    speak('ja');
    host.set({ language: 'fr', voice: false });
    host.show(screens.invite);
    host.set({ language: 'de' });
    await waitFor(() => expect(at('screen').dataset.screen).toBe('invite'));
    expect(language()).toBe('ja');
  });

  it('that is closed says so, and begins nothing', async () => {
    const host = await show(screens.attract, inBooth(booths['attract-closed']));
    expect(at('status-title').textContent).toBe(say('problem-credentials-missing'));
    expect(at('closed').textContent).toContain(say('problem-credentials-missing.do'));
    expect(at('closed').textContent).toContain('F10');
    expect(screen.queryByTestId('start')).toBeNull();
    await fireEvent.click(at('screen'));
    await fireEvent.keyDown(document.body, { key: 'Enter' });
    await fireEvent.keyDown(document.body, { key: 'k' });
    expect(host.asked).toEqual([]);
    // A language can still be chosen, and the booth may open.
    await fireEvent.click(at('tongue-es'));
    expect(at('status-title').textContent).toBe(say('problem-credentials-missing'));
    host.set({});
    await waitFor(() => expect(at('start')).toBeTruthy());
    await fireEvent.click(at('start'));
    expect(host.asked).toEqual(['start']);
  });
});
