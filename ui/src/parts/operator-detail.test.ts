import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  backendUnreachable,
  boothsByScreen,
  type ScreenName,
  sandboxBackend,
  screens,
} from '../../fake/fixtures';
import { FakeHost } from '../../fake/host';
import { byTestId, focusedTestId, renderScreen } from '../../fake/render-app';
import { HOLD_MS } from '../input/brand-hold';
import { inputDevice } from '../state/input-device.svelte';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ loadAndShowAvatar: opened.stage }));

const statistics = {
  vertices: 39_600,
  triangles: 78_402,
  meshes: 3,
  materials: 2,
  textures: 3,
  pictures: [
    { width: 2048, height: 2048 },
    { width: 2048, height: 2048 },
    { width: 1024, height: 512 },
  ],
  blendshapes: 60,
  arkit: 52,
  joints: 71,
  bytes: 64_700_000,
  drawCalls: 4,
  milliseconds: 2345,
};

beforeEach(() => {
  inputDevice.last = 'pointer';
});

describe('the operator’s detail', () => {
  it('is toggled by F9, and does not take the focus', async () => {
    const host = await renderScreen(screens['invite-trouble']);
    await fireEvent.keyDown(document.body, { key: 'F9' });
    const text = byTestId('operator-detail').textContent;
    for (const part of [
      backendUnreachable.code,
      backendUnreachable.operator,
      backendUnreachable.hint,
      screens.invite.visit,
      sandboxBackend.host,
    ])
      expect(text).toContain(part);
    expect(focusedTestId()).toBe('play-phone');
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(screen.queryByTestId('operator-detail')).toBeNull();
    expect(host.calledActions).toEqual([]);
  });

  it('follows the screen, and says why a booth is closed', async () => {
    const host = new FakeHost(screens.attract, {}, sandboxBackend, boothsByScreen['attract-closed']);
    await renderScreen(screens.attract, host);
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain('needs an API key');
    host.setBooth({});
    await waitFor(() => expect(byTestId('operator-detail').textContent).not.toContain('needs an API key'));
  });

  it('shows the avatar’s statistics at the reveal', async () => {
    const stage = {
      turn: vi.fn(),
      close: vi.fn(),
      makeFace: vi.fn(),
      setPaused: vi.fn(),
      setWelcoming: vi.fn(),
      faces: [],
      statistics,
    };
    opened.stage.mockResolvedValue(stage);
    const host = await renderScreen({ ...screens.reveal, glb: 'avatar://a/avatar.glb' });
    await waitFor(() => expect(byTestId('turntable').dataset.ready).toBe('true'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain(screens.reveal.directory);
    expect(document.querySelector('[data-row=Files]')?.textContent).toBe('3, 28.1 MB');
    const text = byTestId('statistics').textContent;
    for (const part of [
      '39,600',
      '78,402',
      '3 (2048 × 2048, 1024 × 512)',
      '60, 52 of ARKit’s 52',
      '64.7 MB',
      '2.3 s',
    ])
      expect(text).toContain(part);
    host.showScreen(screens.attract);
    await waitFor(() => expect(screen.queryByTestId('statistics')).toBeNull());
  });

  it('says when no file can be shown in 3D', async () => {
    const files = screens.reveal.files.filter(({ path }) => !path.endsWith('.glb'));
    await renderScreen({ ...screens.reveal, files, glb: null });
    await fireEvent.keyDown(document.body, { key: 'F9' });
    const row = document.querySelector('[data-row="Not in 3D"]')?.textContent;
    expect(row).toBe(`None of the files is glTF: ${files.map(({ path }) => path).join(', ')}.`);
  });

  it.each<ScreenName>([
    'attract-closed',
    'preparing-trouble',
    'invite-trouble',
    'making-trouble',
    'saving-open',
    'forget-failed',
    'ended',
    'ended-kept',
  ])('is behind a key and a long press on %s', async (name) => {
    const host = await renderScreen(
      screens[name],
      new FakeHost(screens[name], {}, sandboxBackend, boothsByScreen[name as 'attract-closed']),
    );
    expect(screen.queryByTestId('operator-detail')).toBeNull();
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain('Problem');
    await fireEvent.click(byTestId('operator-detail-close'));
    expect(screen.queryByTestId('operator-detail')).toBeNull();
    await fireEvent.pointerDown(byTestId('mark'), { pointerType: 'touch' });
    await waitFor(() => expect(byTestId('operator-detail')).toBeTruthy(), { timeout: HOLD_MS * 3 });
    await fireEvent.pointerUp(byTestId('mark'));
    await fireEvent.click(byTestId('mark'));
    expect(byTestId('operator-detail')).toBeTruthy();
    expect(host.calledActions).toEqual([]);
  });

  it('is not shown by a short press', async () => {
    await renderScreen(screens.ended);
    await fireEvent.pointerDown(byTestId('mark'));
    await fireEvent.pointerUp(byTestId('mark'));
    await new Promise((go) => setTimeout(go, HOLD_MS + 50));
    expect(screen.queryByTestId('operator-detail')).toBeNull();
  });

  it('lists the files while they are saved, and nothing of them is on the screen', async () => {
    await renderScreen(screens.saving);
    const [first] = screens.saving.files;
    expect(byTestId('screen').textContent).not.toContain(first?.file);
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(byTestId('operator-detail').textContent).toContain(first?.file);
  });

  it('starts no visit where any press starts one', async () => {
    const host = await renderScreen(screens.attract);
    host.refusals.set('startVisit', backendUnreachable);
    await fireEvent.click(byTestId('start'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    await fireEvent.keyDown(byTestId('operator-detail-close'), { key: 'Enter' });
    await fireEvent.click(byTestId('operator-detail-close'));
    expect(host.calledActions).toEqual(['startVisit']);
  });
});
