import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { backendUnreachable, boothsByScreen, sandboxBackend, screens } from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../../fake/render-app';
import { languageStore } from '../state/language-store.svelte';

describe('Consent', () => {
  it('shows the operator’s text in paragraphs, and no markup in it', async () => {
    await renderScreen({ kind: 'consent', texts: { en: '  One.\n\n\nTwo <b>bold</b>.\n' } });
    const paragraphs = [...byTestId('consent-text').querySelectorAll('p')].map((one) => one.textContent);
    expect(paragraphs).toEqual(['One.', 'Two <b>bold</b>.']);
  });

  it('continues, or returns', async () => {
    const host = await renderScreen(screens.consent);
    // A habitual press does not agree.
    expect(focusedTestId()).toBe('consent-text');
    await fireEvent.keyDown(byTestId('consent-text'), { key: 'Enter' });
    await fireEvent.click(byTestId('consent-text'));
    expect(host.calledActions).toEqual([]);
    expect(byTestId('agree').className).toBe(byTestId('not-now').className);
    await fireEvent.click(byTestId('agree'));
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    expect(host.calledActions).toEqual(['agreeToConsent', 'cancelVisit']);
  });

  const texts = { de: 'Wir filmen.', fr: 'Nous filmons.', ja: '撮影します。' };
  const shownText = () => [
    byTestId('consent-text').querySelector('p')?.lang,
    byTestId('consent-text').textContent,
  ];

  it('is shown in the visitor’s language, and that text is agreed to', async () => {
    const host = await renderScreen({ kind: 'consent', texts });
    languageStore.setLocale('fr');
    await waitFor(() => expect(shownText()).toEqual(['fr', texts.fr]));
    await fireEvent.click(byTestId('language'));
    await fireEvent.click(await screen.findByTestId('tongue-ja'));
    await waitFor(() => expect(shownText()).toEqual(['ja', texts.ja]));
    expect(byTestId('agree').textContent?.trim()).toBe(languageStore.translate('consent-agree'));
    await fireEvent.click(byTestId('agree'));
    expect(host.agreedTexts).toEqual([texts.ja]);
  });

  it('falls back to the booth’s default language, with its lang attribute', async () => {
    const first = { kind: 'consent', texts } as const;
    const host = await renderScreen(first, new FakeHost(first, {}, sandboxBackend, { language: 'fr' }));
    languageStore.setLocale('es');
    await waitFor(() => expect(shownText()).toEqual(['fr', texts.fr]));
    expect(document.documentElement.lang).toBe('es');
    await fireEvent.click(byTestId('agree'));
    expect(host.agreedTexts).toEqual([texts.fr]);
    host.setBooth({ language: 'zh-Hans' });
    await waitFor(() => expect(shownText()).toEqual(['de', texts.de]));
  });

  it('says in the visitor’s language which one the text is in, where it is another', async () => {
    await renderScreen({ kind: 'consent', texts: { en: 'We film you.' } });
    const note = () => screen.queryByTestId('consent-other-language')?.textContent ?? null;
    expect(note()).toBeNull();
    for (const [locale, name] of [
      ['de', 'Englisch'],
      ['fr', 'anglais'],
      ['ja', '英語'],
      ['zh-Hans', '英语'],
    ] as const) {
      languageStore.setLocale(locale);
      await waitFor(() => expect(note()).toContain(name));
      expect(note()).toBe(languageStore.translate('consent-other-language', { language: name }));
    }
    languageStore.setLocale('en');
    await waitFor(() => expect(note()).toBeNull());
  });

  it('agrees to the text on the screen, not to an earlier one', async () => {
    const host = await renderScreen({ kind: 'consent', texts: { en: 'For a day.' } });
    host.showScreen({ kind: 'consent', texts: { en: 'For a year.' } });
    await waitFor(() => expect(shownText()).toEqual(['en', 'For a year.']));
    await fireEvent.click(byTestId('agree'));
    expect(host.agreedTexts).toEqual(['For a year.']);
  });

  it('shows how long the files are kept', async () => {
    await renderScreen(
      screens.consent,
      new FakeHost(screens.consent, {}, sandboxBackend, { keep_hours: 48 }),
    );
    expect(byTestId('kept').textContent).toBe(languageStore.translate('keep-days', { count: 2 }));
  });

  it('takes no answer before the end of a long text was shown', async () => {
    const host = await renderScreen(screens.consent);
    const text = byTestId('consent-text');
    // As tall as three times its place.
    Object.defineProperties(text, { clientHeight: { value: 300 }, scrollHeight: { value: 900 } });
    await fireEvent.scroll(text);
    expect(byTestId('agree').getAttribute('aria-disabled')).toBe('true');
    expect(text.className).toContain('more');
    // The answer shows more instead, as the button below the text does.
    await fireEvent.click(byTestId('agree'));
    expect([text.scrollTop, host.calledActions]).toEqual([210, []]);
    await fireEvent.click(byTestId('consent-more'));
    expect(text.scrollTop).toBe(420);
    text.scrollTop = 600;
    await fireEvent.scroll(text);
    expect(byTestId('agree').getAttribute('aria-disabled')).toBe('false');
    expect(text.className).not.toContain('more');
    // Once read, it stays so.
    text.scrollTop = 0;
    await fireEvent.scroll(text);
    await fireEvent.click(byTestId('agree'));
    expect(host.calledActions).toEqual(['agreeToConsent']);
  });

  it('has no button for more where the text fits', async () => {
    await renderScreen(screens.consent);
    expect(screen.queryByTestId('consent-more')).toBeNull();
    expect(byTestId('agree').getAttribute('aria-disabled')).toBe('false');
  });

  it('shows when continuing failed', async () => {
    const host = await renderScreen(screens.consent);
    host.refusals.set('agreeToConsent', backendUnreachable);
    await fireEvent.click(byTestId('agree'));
    await waitFor(() =>
      expect(byTestId('trouble').textContent).toContain(
        languageStore.translate('problem-backend-unreachable'),
      ),
    );
  });
});

describe('a booth', () => {
  const inBooth = (around: ConstructorParameters<typeof FakeHost>[3]) =>
    new FakeHost(screens.attract, {}, sandboxBackend, around);

  it('may have its own text on the first screen', async () => {
    const attract_text = { en: 'Come in & look', ja: 'どうぞ' };
    const host = await renderScreen(screens.attract, inBooth({ attract_text }));
    expect(byTestId('attract-text').textContent?.trim()).toBe('Come in & look');
    await fireEvent.click(byTestId('tongue-ja'));
    await waitFor(() => expect(byTestId('attract-text').textContent?.trim()).toBe('どうぞ'));
    await fireEvent.click(byTestId('tongue-fr'));
    await waitFor(() => expect(byTestId('attract-text').textContent?.trim()).toBe('Come in & look'));
    expect([byTestId('attract-text').lang, document.documentElement.lang]).toEqual(['en', 'fr']);
    expect(byTestId('screen').textContent).not.toContain(languageStore.translate('attract-line'));
    host.setBooth({});
    await waitFor(() =>
      expect(byTestId('screen').textContent).toContain(languageStore.translate('attract-line')),
    );
  });

  it('shows its logo in place of the name, or the name when it cannot be loaded', async () => {
    const host = await renderScreen(screens.attract, inBooth({ logo: 'avatar://a/logo' }));
    expect(byTestId('logo').getAttribute('src')).toBe('avatar://a/logo');
    expect(document.querySelector('header')?.textContent).not.toContain('Copresence');
    await fireEvent.error(byTestId('logo'));
    await waitFor(() => expect(document.querySelector('header')?.textContent).toContain('Copresence'));
    // Another one is tried again.
    host.setBooth({ logo: 'avatar://a/logo?2' });
    await waitFor(() => expect(byTestId('logo').getAttribute('src')).toBe('avatar://a/logo?2'));
  });

  it('uses its default language for new visitors only', async () => {
    const host = await renderScreen(screens.attract, inBooth({ language: 'fr' }));
    await waitFor(() => expect(languageStore.locale).toBe('fr'));
    languageStore.setLocale('ja');
    host.setBooth({ language: 'fr', voice: false });
    host.showScreen(screens.invite);
    host.setBooth({ language: 'de' });
    await waitFor(() => expect(byTestId('screen').dataset.screen).toBe('invite'));
    expect(languageStore.locale).toBe('ja');
  });

  it('is dark outside of its opening hours, and says when it opens', async () => {
    const host = await renderScreen(screens.attract, inBooth(boothsByScreen['attract-night']));
    expect(byTestId('closed').dataset.code).toBe('outside_hours');
    expect(byTestId('closed').textContent).toContain('Monday');
    expect(screen.queryByTestId('languages')).toBeNull();
    await fireEvent.keyDown(document.body, { key: 'k' });
    expect(host.calledActions).toEqual([]);
    host.setBooth({});
    await waitFor(() => expect(byTestId('start')).toBeTruthy());
  });

  it('that is closed says so, and starts nothing', async () => {
    const host = await renderScreen(screens.attract, inBooth(boothsByScreen['attract-closed']));
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('problem-credentials-missing'));
    expect(byTestId('closed').textContent).toContain(
      languageStore.translate('problem-credentials-missing.do'),
    );
    expect(byTestId('closed').textContent).toContain('F10');
    expect(screen.queryByTestId('start')).toBeNull();
    await fireEvent.click(byTestId('screen'));
    await fireEvent.keyDown(document.body, { key: 'Enter' });
    await fireEvent.keyDown(document.body, { key: 'k' });
    expect(host.calledActions).toEqual([]);
    // The language can still be changed, and the booth may open.
    await fireEvent.click(byTestId('tongue-es'));
    expect(byTestId('status-title').textContent).toBe(languageStore.translate('problem-credentials-missing'));
    host.setBooth({});
    await waitFor(() => expect(byTestId('start')).toBeTruthy());
    await fireEvent.click(byTestId('start'));
    expect(host.calledActions).toEqual(['startVisit']);
  });
});
