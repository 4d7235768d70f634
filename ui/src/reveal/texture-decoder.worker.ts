// Decodes textures off the main thread.
import { type DecodeRequest, type DecodeResponse, fetchAndDecodeScaledBitmap } from './decode-bitmap';

addEventListener('message', async ({ data: { id, url } }: MessageEvent<DecodeRequest>) => {
  let answer: DecodeResponse;
  try {
    answer = { id, bitmap: await fetchAndDecodeScaledBitmap(url) };
  } catch (error) {
    answer = { id, problem: String(error) };
  }
  postMessage(answer, { transfer: 'bitmap' in answer ? [answer.bitmap] : [] });
});
