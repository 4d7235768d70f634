import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { screens } from '../fake/fixtures';
import { FakeHost } from '../fake/host';
import { startHeartbeat, withHeartbeat } from './heartbeat';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('says at once and then steadily that the page lives', () => {
  const say = vi.fn(() => Promise.resolve());
  const stop = startHeartbeat(say);
  expect(say).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(15_000);
  expect(say).toHaveBeenCalledTimes(4);
  stop();
  vi.advanceTimersByTime(60_000);
  expect(say).toHaveBeenCalledTimes(4);
});

it('says when the page is hidden, because its timers sleep then', () => {
  const said: boolean[] = [];
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(false);
  const stop = startHeartbeat(async (is) => void said.push(is));
  hidden.mockReturnValue(true);
  document.dispatchEvent(new Event('visibilitychange'));
  expect(said).toEqual([false, true]);
  stop();
});

it('goes on when the program does not answer', async () => {
  const say = vi.fn(() => Promise.reject(new Error('gone')));
  const stop = startHeartbeat(say);
  await vi.advanceTimersByTimeAsync(5000);
  expect(say).toHaveBeenCalledTimes(2);
  stop();
});

it('begins with the first snapshot that was shown, once', async () => {
  const said: string[] = [];
  const fake = new FakeHost(screens.attract);
  const host = withHeartbeat(fake, async () => void said.push('alive'));
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([]);
  const close = await host.subscribe(() => said.push('shown'));
  fake.showScreen(screens.preparing);
  vi.advanceTimersByTime(1);
  expect(said).toEqual(['shown', 'shown', 'alive']);
  close();
});
