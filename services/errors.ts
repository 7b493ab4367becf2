/** A program that the local services need is not on this machine, or is too old. */
export class MissingPrerequisite extends Error {
  override readonly name = "MissingPrerequisite";
  readonly program: string;

  constructor(program: string, found: string) {
    super(
      `${program} is needed to run the local services, but ${found}. ` +
        "On Debian or Ubuntu: apt-get install openjdk-17-jdk-headless maven golang openssl (Java 17, Go 1.23, OpenSSL 3 or newer). " +
        "Or start the services with Docker and give their addresses by SPILLWAY_BROKERS and SPILLWAY_MONGO_URL.",
    );
    this.program = program;
  }
}

/** A service did not start, did not answer, or was asked for something it can't do. */
export class ServiceError extends Error {
  override readonly name: string = "ServiceError";
}

/** Somebody took the port between its choice and the service's start. */
export class PortTaken extends ServiceError {
  override readonly name = "PortTaken";
}
