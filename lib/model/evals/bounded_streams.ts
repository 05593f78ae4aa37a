/** Reads the output of a process that is not trusted, in bounded memory. @module */

/** Yields the lines of a stream; the stream is given up at a line of more than `most` characters. */
export async function* linesWithin(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  most: number,
): AsyncGenerator<string> {
  const parts: string[] = [];
  let length = 0;
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const lines = part.split("\n");
    for (const [i, line] of lines.entries()) {
      parts.push(line);
      length += line.length;
      if (length > most) return;
      if (i < lines.length - 1) {
        yield parts.join("");
        parts.length = length = 0;
      }
    }
  }
}

/** Returns the last `count` characters of a stream, without white space around them. */
export async function lastCharacters(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  count: number,
): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) text = (text + part).slice(-count);
  return text.trim();
}
