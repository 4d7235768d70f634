import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { at, focused, show } from '../../fake/render-app';
import { FakeHost } from '../../fake/host';
import { backend, booths, offline, openBackend, type ScreenName, screens } from '../../fake/fixtures';
import { device } from '../state/input-device.svelte';
import { say } from '../state/language-store.svelte';

const opened = vi.hoisted(() => ({ stage: vi.fn() }));
vi.mock('../reveal/avatar-stage', () => ({ openAvatarStage: opened.stage }));

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
  device.last = 'pointer';
});

describe('the operator’s detail', () => {
  it('comes and goes by F9, and takes no focus', async () => {
    const host = await show(screens['invite-trouble']);
    await fireEvent.keyDown(document.body, { key: 'F9' });
    const text = at('operator-detail').textContent;
    for (const part of [offline.code, offline.operator, offline.hint, screens.invite.visit, backend.host])
      expect(text).toContain(part);
    expect(focused()).toBe('play-phone');
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(screen.queryByTestId('operator-detail')).toBeNull();
    expect(host.asked).toEqual([]);
  });

  it('follows the screen, and says why a booth is closed', async () => {
    const host = new FakeHost(screens.attract, {}, backend, booths['attract-closed']);
    await show(screens.attract, host);
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(at('operator-detail').textContent).toContain('needs an API key');
    host.set({});
    await waitFor(() => expect(at('operator-detail').textContent).not.toContain('needs an API key'));
  });

  it('counts the avatar at the reveal', async () => {
    const stage = { turn: vi.fn(), close: vi.fn(), make: vi.fn(), faces: [], statistics };
    opened.stage.mockResolvedValue(stage);
    const host = await show({ ...screens.reveal, glb: 'avatar://a/avatar.glb' });
    await waitFor(() => expect(at('turntable').dataset.ready).toBe('true'));
    await fireEvent.keyDown(document.body, { key: 'F9' });
    expect(at('operator-detail').textContent).toContain(screens.reveal.directory);
    expect(document.querySelector('[data-row=Files]')?.textContent).toBe('3, 28.1 MB');
    const text = at('statistics').textContent;
    for (const part of [
      '39,600',
      '78,402',
      '3 (2048 × 2048, 1024 × 512)',
      '60, 52 of ARKit’s 52',
      '64.7 MB',
      '2.3 s',
    ])
      expect(text).toContain(part);
    host.show(screens.attract);
    await waitFor(() => expect(screen.queryByTestId('statistics')).toBeNull());
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
  ])('is behind one button on %s, for every hand', async (name) => {
    const host = await show(
      screens[name],
      new FakeHost(screens[name], {}, backend, booths[name as 'attract-closed']),
    );
    expect(screen.getAllByTestId('detail')).toHaveLength(1);
    expect(at('detail').closest('[aria-hidden]')).toBeNull();
    expect(at('detail').textContent).toBe(say('ended-detail'));
    await fireEvent.click(at('detail'));
    expect(at('operator-detail').textContent).toContain('Problem');
    expect(at('detail').getAttribute('aria-expanded')).toBe('true');
    await fireEvent.click(at('operator-detail-close'));
    expect(screen.queryByTestId('operator-detail')).toBeNull();
    expect(host.asked).toEqual([]);
  });

  it('has a button only where there is something to tell, which names a key only to who has keys', async () => {
    const host = await show(screens.invite, new FakeHost(screens.invite, {}, openBackend));
    expect(screen.queryByTestId('detail')).toBeNull();
    host.show(screens['invite-trouble']);
    await waitFor(() => expect(at('detail')).toBeTruthy());
    await fireEvent.keyDown(document.body, { key: 'Shift' });
    expect(at('detail').textContent).toBe(`F9${say('ended-detail')}`);
    await fireEvent.pointerDown(document.body, { pointerType: 'touch' });
    expect(at('detail').textContent).toBe(say('ended-detail'));
    host.show(screens.invite);
    await waitFor(() => expect(screen.queryByTestId('detail')).toBeNull());
  });

  it('begins no visit where any press begins one', async () => {
    const host = await show(screens.attract);
    host.refusals.set('start', offline);
    await fireEvent.click(at('start'));
    await fireEvent.click(await screen.findByTestId('detail'));
    await fireEvent.keyDown(at('detail'), { key: 'Enter' });
    await fireEvent.click(at('operator-detail-close'));
    expect(host.asked).toEqual(['start']);
  });
});
