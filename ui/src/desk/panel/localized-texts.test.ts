import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';
import { diskFullProblem, resultText, submit, value, write } from '../../../fake/panel-fields';
import { pressEscape } from '../../../fake/render-app';
import { byTestId, focusedTestId, pressKey, renderDesk } from '../../../fake/render-desk';
import type { LocalizedTextView } from '../../generated/view';
import { messages } from '../messages';

describe('Texts by language', () => {
  const texts = (
    consent: LocalizedTextView,
    attract_text: LocalizedTextView = {},
    language: string | null = null,
  ) =>
    renderDesk(
      (of) => (of.panelView.display = { ...of.panelView.display, consent, attract_text, language }),
      'display',
    );
  const look = async (tag: string) => {
    await fireEvent.click(byTestId(`texts-in-${tag}`));
    await waitFor(() => expect(byTestId('text-consent').lang).toBe(tag));
  };
  const heard = (tag: string) => byTestId(`texts-in-${tag}`).textContent?.replaceAll(/\s+/g, ' ').trim();

  it('are shown one language at a time, starting with the default one', async () => {
    await texts({ de: 'Wir filmen.', fr: 'Nous filmons.' }, { fr: 'Entrez.' }, 'fr');
    expect(byTestId('texts-in-fr').getAttribute('aria-checked')).toBe('true');
    expect([value('text-attract'), value('text-consent')]).toEqual(['Entrez.', 'Nous filmons.']);
    expect([...document.querySelectorAll('textarea')].map(({ lang }) => lang)).toEqual(['fr', 'fr']);
    expect(screen.getByLabelText(messages.texts.inLanguage(messages.texts.consent.name, 'French'))).toBe(
      byTestId('text-consent'),
    );
    await look('de');
    expect([value('text-attract'), value('text-consent')]).toEqual(['', 'Wir filmen.']);
  });

  it('show which languages have one, and which text the others get', async () => {
    await texts({ de: 'Wir filmen.', fr: 'Nous filmons.' }, { fr: 'Entrez.' }, 'fr');
    expect(heard('fr')).toBe('French , Attract text and Consent text written');
    expect(heard('de')).toBe('German , Consent text written');
    expect(heard('ja')).toBe('Japanese , no text');
    expect(byTestId('texts-in-fr').querySelectorAll('i')).toHaveLength(2);
    expect(byTestId('texts-in-ja').querySelectorAll('i')).toHaveLength(0);
    expect(byTestId('note-consent').textContent).toBe(
      'Visitors who chose English, Spanish, Japanese or Simplified Chinese see the French text.',
    );
    expect(byTestId('text-consent').getAttribute('aria-describedby')).toContain('note-consent');
  });

  it('say when there is none, and when the default language has none', async () => {
    await texts({ ja: '撮影します。' }, {}, 'de');
    expect(byTestId('note-attract').textContent).toBe(messages.texts.attract_text.none);
    expect(byTestId('note-consent').textContent).toMatch(/see the Japanese text\.$/);
  });

  it('keep unsaved changes while another language is shown, and are saved together', async () => {
    const { desk } = await texts({ en: 'We film.', ja: '撮影します。' });
    await write('text-consent', 'We film you.');
    await look('de');
    expect(value('text-consent')).toBe('');
    expect(heard('en')).toContain(messages.texts.unsaved);
    await write('text-consent', ' Wir filmen. ');
    expect(byTestId('save-consent').textContent?.trim()).toBe(messages.texts.save(['English', 'German']));
    await look('en');
    expect(value('text-consent')).toBe('We film you.');
    expect(desk.panelActions).toEqual([]);
    await submit('text-consent');
    await waitFor(() => expect(resultText('consent-en')).toBe(messages.texts.saved(['English', 'German'])));
    expect(desk.panelView.display.consent).toEqual({
      en: 'We film you.',
      de: 'Wir filmen.',
      ja: '撮影します。',
    });
    expect(heard('en')).not.toContain(messages.texts.unsaved);
    await look('de');
    expect(value('text-consent')).toBe('Wir filmen.');
    // The result belongs to the language in which it was shown.
    expect(resultText('consent-de')).toBe('');
  });

  it('are shown when they are too long, and nothing is saved', async () => {
    const { desk } = await texts({ en: 'We film.' });
    await look('de');
    await write('text-consent', 'ä'.repeat(10_001));
    await look('fr');
    await write('text-consent', 'Nous filmons.');
    await submit('text-consent');
    await waitFor(() => expect(resultText('consent-de')).toContain(messages.texts.long('German', 10_000)));
    expect(byTestId('texts-in-de').getAttribute('aria-checked')).toBe('true');
    expect(focusedTestId()).toBe('text-consent');
    expect(byTestId('text-consent').getAttribute('aria-invalid')).toBe('true');
    expect(byTestId('text-attract').getAttribute('aria-invalid')).toBeNull();
    expect(desk.panelActions).toEqual([]);
    // Only the German text is refused.
    await look('fr');
    expect(byTestId('text-consent').getAttribute('aria-invalid')).toBeNull();
    expect(value('text-consent')).toBe('Nous filmons.');
    await look('de');
    expect(value('text-consent')).toHaveLength(10_001);
    await write('text-consent', 'ä'.repeat(10_000));
    await submit('text-consent');
    await waitFor(() => expect(resultText('consent-de')).toBe(messages.texts.saved(['German', 'French'])));
  });

  it('stay unsaved when the program refuses them', async () => {
    await renderDesk((of) => of.refusals.set('set_display', diskFullProblem), 'display');
    await write('text-consent', 'We film.');
    await submit('text-consent');
    await waitFor(() => expect(resultText('consent-en')).toContain('The disk is full'));
    expect(value('text-consent')).toBe('We film.');
    expect(heard('en')).toContain(messages.texts.unsaved);
  });

  it('do not overwrite other settings changed meanwhile', async () => {
    const { desk } = await texts({});
    await write('text-consent', 'We film.');
    await fireEvent.click(byTestId('voice-on'));
    await waitFor(() => expect(desk.panelView.display.voice).toBe(true));
    expect(value('text-consent')).toBe('We film.');
    await submit('text-consent');
    await waitFor(() => expect(desk.panelView.display.consent).toEqual({ en: 'We film.' }));
    expect(desk.panelView.display.voice).toBe(true);
  });

  it('survive another section and the lock, and are asked about before the desk is left', async () => {
    const { desk, deskOverlay } = await texts({ en: 'We film.' });
    await write('text-consent', 'We film you.');
    byTestId('section-health').click();
    await waitFor(() => expect(byTestId('section').dataset.section).toBe('health'));
    byTestId('section-display').click();
    await waitFor(() => expect(value('text-consent')).toBe('We film you.'));
    for (const leave of [
      () => pressKey('F10', byTestId('desk')),
      () => byTestId('leave').click(),
      () => {
        byTestId('section-display').focus();
        pressKey('Escape');
      },
    ]) {
      leave();
      await waitFor(() => expect(focusedTestId()).toBe('question-no'));
      expect(byTestId('question').textContent).toContain(messages.texts.leaveText(['English']));
      await fireEvent.click(byTestId('question-no'));
      expect(deskOverlay.isOpen).toBe(true);
      expect(value('text-consent')).toBe('We film you.');
    }
    expect(desk.panelActions).toEqual([]);
    // Escape cancels at once: a browser that closes the dialog itself reports it only with the next frame.
    byTestId('leave').click();
    await waitFor(() => expect(focusedTestId()).toBe('question-no'));
    await pressEscape();
    expect(screen.queryByTestId('question')).toBeNull();
    expect(deskOverlay.isOpen).toBe(true);
    // Leaving is allowed; the text is gone then, and nothing is asked again.
    byTestId('leave').click();
    await waitFor(() => expect(focusedTestId()).toBe('question-no'));
    await fireEvent.click(byTestId('question-yes'));
    expect(deskOverlay.isOpen).toBe(false);
    expect(deskOverlay.textDrafts).toEqual({ attract_text: {}, consent: {} });
  });

  it('are not asked about when they are as they were', async () => {
    const { deskOverlay } = await texts({ en: 'We film.' });
    await write('text-consent', 'We film you.');
    await write('text-consent', 'We film.');
    byTestId('leave').click();
    await waitFor(() => expect(deskOverlay.isOpen).toBe(false));
  });
});
