// Decodes textures off the main thread.
import { BitmapBudget } from './bitmap-budget';
import { type DecodeRequest, type DecodeResponse, decodeScaledBitmap } from './decode-bitmap';

// The worker decodes the images of one avatar.
const budget = new BitmapBudget();

addEventListener('message', async ({ data: { id, bytes } }: MessageEvent<DecodeRequest>) => {
  let answer: DecodeResponse;
  try {
    answer = { id, bitmap: await decodeScaledBitmap(bytes, budget) };
  } catch (error) {
    answer = { id, problem: String(error) };
  }
  postMessage(answer, { transfer: 'bitmap' in answer ? [answer.bitmap] : [] });
});
