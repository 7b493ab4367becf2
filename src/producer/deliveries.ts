import { withDeadline } from "../runtime/deadline.ts";
import type { Acknowledgement } from "./outlet.ts";

/**
 * The records on their way to the cluster. A failure is kept and thrown at the next look: nothing is lost silently.
 * The outlet's `ready` bounds how many there are.
 */
export class Deliveries {
  #open = 0;
  #acknowledged = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Costs one promise: a flood tracks hundreds of thousands a second. */
  track(sent: Promise<Acknowledgement>, onAcknowledged: (acknowledgement: Acknowledgement) => void): void {
    this.#open++;
    sent.then(
      (acknowledgement) => {
        this.#acknowledged++;
        try {
          onAcknowledged(acknowledgement);
        } catch (error) {
          this.#failure ??= { error };
        }
        this.#close();
      },
      (error: unknown) => {
        this.#failure ??= { error };
        this.#close();
      },
    );
  }

  #close(): void {
    this.#open--;
    if (this.#open === 0 || this.#failure !== undefined) this.#wake?.();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for every acknowledgement. @throws the first failure, or SpillwayError TIMEOUT */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#open > 0 && this.#failure === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await withDeadline(promise, timeoutMs, `the acknowledgement of ${this.#open} records`);
    }
    this.throwIfFailed();
  }
}
