/**
 * Buffers of one size that are used again. A fresh one for each batch costs more in collecting it than the batch does
 * in making it.
 */
export class BufferPool {
  readonly bytes: number;
  readonly #most: number;
  readonly #free: Buffer[] = [];

  /**
   * @param bytes of each buffer
   * @param most how many are kept that nobody uses
   */
  constructor(bytes: number, most: number) {
    this.bytes = bytes;
    this.#most = most;
  }

  /** Its content is what it was last used for. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bytes);
  }

  /** Gives a buffer back that nobody reads or writes any more. One of another size is left to the collector. */
  give(buffer: Buffer): void {
    if (buffer.length === this.bytes && this.#free.length < this.#most) this.#free.push(buffer);
  }
}
