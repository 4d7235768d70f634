import type { Document } from '@gltf-transform/core';

type Vec3 = [number, number, number];

/** How the mannequin is built. */
export interface MannequinOptions {
  /** Only the head, without a skeleton. */
  headOnly?: boolean;
  /** A body without a skeleton. */
  withoutSkin?: boolean;
  /** Names of the joints, by their plain name. */
  jointName?: (name: string) => string;
  withoutBlendshapes?: boolean;
  /** A PNG for the whole figure. Without it the colours are those of vertices. */
  texture?: Uint8Array<ArrayBuffer> | null;
  /** Turns every point of the figure. */
  turned?: (point: Vec3) => Vec3;
  /** Scale of the node above the figure; its points are as much smaller. */
  rootScale?: number;
  /** Vertices of the head along and around. */
  rows?: number;
}

export declare function createMannequin(document: Document, options?: MannequinOptions): Document;
