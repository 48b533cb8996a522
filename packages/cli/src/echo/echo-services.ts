import type { Server, UdpAddress } from "@landline/sockets";
import { localAddress, orOtherPort, type ServiceLine } from "../terminal/mod.ts";
import { serveEcho, serveEventsEcho } from "./tcp-echo.ts";
import { UdpEcho } from "./udp-echo.ts";

/** Options for {@link EchoServices}. Port 0 selects a free port. */
export interface EchoServicesOptions {
  readonly host: string;
  readonly tcp: number;
  readonly udp: number;
  readonly events: number;
}

/** The three echo servers of the tutorial: TCP with a function per connection, UDP, and TCP with event handlers. */
export class EchoServices {
  readonly #tcp: Server;
  readonly #udp: UdpEcho;
  readonly #events: Server;

  private constructor(tcp: Server, udp: UdpEcho, events: Server) {
    this.#tcp = tcp;
    this.#udp = udp;
    this.#events = events;
  }

  /** Starts all three, or none. */
  static async open({ host, tcp, udp, events }: EchoServicesOptions): Promise<EchoServices> {
    await using opened = new AsyncDisposableStack();
    const services = new EchoServices(
      opened.use(await orOtherPort(serveEcho({ host, port: tcp }), "--tcp")),
      opened.adopt(await orOtherPort(UdpEcho.open({ host, port: udp }), "--udp"), (echo) => echo.close()),
      opened.use(await orOtherPort(serveEventsEcho({ host, port: events }), "--events")),
    );
    opened.move();
    return services;
  }

  /** The address that the servers listen on. */
  get host(): string {
    return this.#udp.address.host;
  }

  /** One line per server: its address, its name, and a command to try it. */
  get lines(): readonly ServiceLine[] {
    const tcp = localAddress(this.#tcp.address as UdpAddress);
    const udp = localAddress(this.#udp.address);
    const events = localAddress(this.#events.address as UdpAddress);
    return [
      { at: tcp, name: "TCP echo", tries: [`connect ${tcp.host} ${tcp.port}`] },
      { at: udp, name: "UDP echo", tries: [`connect --udp ${udp.host} ${udp.port}`] },
      { at: events, name: "events echo", tries: [`connect ${events.host} ${events.port}`] },
    ];
  }

  async close(): Promise<void> {
    await Promise.all([this.#tcp.shutdown(), this.#udp.close(), this.#events.shutdown()]);
  }
}
