// Decodes pictures where that holds nobody up.
import { bitmapOf, type Decoded, type Undecoded } from './decode-bitmap';

addEventListener('message', async ({ data: { id, url } }: MessageEvent<Undecoded>) => {
  let answer: Decoded;
  try {
    answer = { id, bitmap: await bitmapOf(url) };
  } catch (error) {
    answer = { id, problem: String(error) };
  }
  postMessage(answer, { transfer: 'bitmap' in answer ? [answer.bitmap] : [] });
});
