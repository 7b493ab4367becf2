/** The length before each response. */
const LENGTH_BYTES = 4;
const CORRELATION_ID_BYTES = 4;
/** More than any broker sends: a length beyond it is no length. */
const MAX_RESPONSE_BYTES = 2 ** 30;

/** One response: to which request, and its bytes behind the correlation id. */
export interface ResponseFrame {
  readonly bytes: number;
  readonly correlationId: number;
  readonly payload: Buffer;
}

/**
 * Puts the responses of one connection together from the chunks that its socket reads. A chunk is copied at once, to
 * where its response is to lie, so that the socket can read into the same memory again.
 */
export class ResponseReader {
  readonly #take: (frame: ResponseFrame) => void;
  readonly #length = Buffer.allocUnsafe(LENGTH_BYTES);
  #lengthRead = 0;
  #response: Buffer | undefined;
  #responseRead = 0;

  constructor(take: (frame: ResponseFrame) => void) {
    this.#take = take;
  }

  /** @throws RangeError for a length that can't be one: nothing on this connection makes sense any more */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#response === undefined) {
        const copied = chunk.copy(this.#length, this.#lengthRead, at);
        at += copied;
        this.#lengthRead += copied;
        if (this.#lengthRead === LENGTH_BYTES) this.#begin();
      } else {
        const copied = chunk.copy(this.#response, this.#responseRead, at);
        at += copied;
        this.#responseRead += copied;
        if (this.#responseRead === this.#response.length) this.#end(this.#response);
      }
    }
  }

  #begin(): void {
    const bytes = this.#length.readInt32BE();
    if (bytes < CORRELATION_ID_BYTES || bytes > MAX_RESPONSE_BYTES) {
      throw new RangeError(`a response of ${bytes} bytes can't be`);
    }
    this.#response = Buffer.allocUnsafe(bytes);
    this.#responseRead = 0;
  }

  #end(response: Buffer): void {
    this.#response = undefined;
    this.#lengthRead = 0;
    const payload = response.subarray(CORRELATION_ID_BYTES);
    this.#take({ bytes: response.length, correlationId: response.readInt32BE(), payload });
  }
}
