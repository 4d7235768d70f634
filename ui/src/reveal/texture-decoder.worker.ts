// Decodes textures off the main thread.
import { type DecodeRequest, type DecodeResponse, fetchAndDecodeBitmap } from './decode-bitmap';

addEventListener('message', async ({ data: { id, url } }: MessageEvent<DecodeRequest>) => {
  let answer: DecodeResponse;
  try {
    answer = { id, bitmap: await fetchAndDecodeBitmap(url) };
  } catch (error) {
    answer = { id, problem: String(error) };
  }
  postMessage(answer, { transfer: 'bitmap' in answer ? [answer.bitmap] : [] });
});
