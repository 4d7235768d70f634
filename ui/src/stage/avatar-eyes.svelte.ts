// Where the eyes of the avatar at the reveal are, so that the contour figure meets them before it becomes the avatar.

/** The eyes of an avatar, in CSS pixels: their middle from the centre of the stage's subject, and their distance. */
export interface AvatarEyes {
  x: number;
  y: number;
  distance: number;
}

/** The eyes of the avatar that is about to be shown; null without one, or when the file does not tell where they are. */
export const avatarEyes = $state<{ current: AvatarEyes | null }>({ current: null });
