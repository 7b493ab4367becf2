import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

const CHANNEL = "net.client.socket";

/** The sockets this process opens while it is watched: to count what comes in over them, and to break them. */
export class SocketWatch implements Disposable {
  readonly #open = new Set<Socket>();
  #bytesOfClosed = 0;

  constructor() {
    subscribe(CHANNEL, this.#add);
  }

  get bytesRead(): number {
    return this.#open.values().reduce((sum, { bytesRead }) => sum + bytesRead, this.#bytesOfClosed);
  }

  /** Leaves what comes in unread from now on. */
  pause(): void {
    for (const socket of this.#open) socket.pause();
  }

  /** Breaks all that are open, as if the other side had reset them. What was not read is lost. */
  break(): void {
    for (const socket of this.#open) socket.destroy(new Error("connection reset by the test"));
  }

  [Symbol.dispose](): void {
    unsubscribe(CHANNEL, this.#add);
  }

  readonly #add = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#bytesOfClosed += socket.bytesRead;
    });
  };
}
