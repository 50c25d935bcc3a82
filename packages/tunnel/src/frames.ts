/** Joins small chunks and cuts large ones, so that every frame but the last is full. A frame of one chunk is not copied. */
export function cutFrames(chunks: readonly Buffer[], maxBytes: number): Buffer[] {
  const frames: Buffer[] = [];
  let parts: Buffer[] = [];
  let size = 0;
  const close = () => {
    const [first] = parts;
    if (first) frames.push(parts.length === 1 ? first : Buffer.concat(parts, size));
    parts = [];
    size = 0;
  };
  for (const chunk of chunks) {
    let at = 0;
    while (at < chunk.length) {
      const part = chunk.subarray(at, at + maxBytes - size);
      parts.push(part);
      size += part.length;
      at += part.length;
      if (size === maxBytes) close();
    }
  }
  close();
  return frames;
}
