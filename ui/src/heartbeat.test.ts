import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { screens } from '../fake/fixtures';
import { FakeHost } from '../fake/host';
import { startHeartbeat, withHeartbeatAfterFirstSnapshot } from './heartbeat';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('sends a heartbeat with the next frame and then periodically', () => {
  const say = vi.fn(() => Promise.resolve());
  const stop = startHeartbeat(say);
  vi.advanceTimersToNextFrame();
  expect(say).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(15_100);
  expect(say).toHaveBeenCalledTimes(4);
  stop();
  vi.advanceTimersByTime(60_000);
  expect(say).toHaveBeenCalledTimes(4);
});

it('sends no heartbeat while no frame is drawn', () => {
  const say = vi.fn(() => Promise.resolve());
  const drawn = vi.spyOn(window, 'requestAnimationFrame').mockReturnValue(1);
  const stop = startHeartbeat(say);
  vi.advanceTimersByTime(60_000);
  expect(say).not.toHaveBeenCalled();
  expect(drawn).toHaveBeenCalledTimes(1);
  drawn.mockRestore();
  stop();
});

it('reports when the page is hidden', () => {
  const said: boolean[] = [];
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(false);
  const stop = startHeartbeat(async (is) => void said.push(is));
  vi.advanceTimersToNextFrame();
  hidden.mockReturnValue(true);
  document.dispatchEvent(new Event('visibilitychange'));
  expect(said).toEqual([false, true]);
  stop();
});

it('continues when the program does not answer', async () => {
  const say = vi.fn(() => Promise.reject(new Error('gone')));
  const stop = startHeartbeat(say);
  await vi.advanceTimersByTimeAsync(5100);
  expect(say).toHaveBeenCalledTimes(2);
  stop();
});

it('starts with the first snapshot, once', async () => {
  const said: string[] = [];
  const fake = new FakeHost(screens.attract);
  const { host } = withHeartbeatAfterFirstSnapshot(fake, async () => void said.push('alive'));
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([]);
  const close = await host.subscribe(() => said.push('shown'));
  fake.showScreen(screens.preparing);
  vi.advanceTimersByTime(20);
  expect(said).toEqual(['shown', 'shown', 'alive']);
  close();
});

it('stops for good when the page has failed, whether or not it has begun', async () => {
  const said: string[] = [];
  const fake = new FakeHost(screens.attract);
  const page = withHeartbeatAfterFirstSnapshot(fake, async () => void said.push('alive'));
  await page.host.subscribe(() => {});
  vi.advanceTimersByTime(20);
  expect(said).toEqual(['alive']);
  page.stopHeartbeat();
  fake.showScreen(screens.preparing);
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual(['alive']);
  const early = withHeartbeatAfterFirstSnapshot(fake, async () => void said.push('too late'));
  early.stopHeartbeat();
  await early.host.subscribe(() => {});
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual(['alive']);
});
