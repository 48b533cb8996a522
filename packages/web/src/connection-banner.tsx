import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ConnectionStatus } from "./room-store.ts";

interface ConnectionBannerProps {
  readonly status: ConnectionStatus;
  retryNow(): void;
  leave(): void;
}

/** Shown while the connection is down. */
export function ConnectionBanner({ status, retryNow, leave }: ConnectionBannerProps): JSX.Element {
  const seconds = useSecondsUntil(status.retryAtMs);
  const isWaiting = status.state === "connecting" && status.retryAtMs !== undefined;

  return (
    <section class={`banner is-${status.state}`} aria-label="Connection" hidden={status.state === "online"}>
      <p role="status">{textOf(status)}</p>
      {/* Outside of the status: a screen reader should not count along. */}
      {isWaiting && (
        <span class="banner-wait">{seconds > 0 ? `Trying again in ${seconds} s` : "Trying again now"}</span>
      )}
      {isWaiting && (
        <button class="quiet" type="button" onClick={retryNow}>
          Retry now
        </button>
      )}
      {status.state === "closed" && (
        <button class="quiet" type="button" onClick={leave}>
          Back to the start
        </button>
      )}
    </section>
  );
}

function textOf({ state, retryAtMs, ending }: ConnectionStatus): string {
  switch (state) {
    case "online":
      return "";
    case "connecting":
      return retryAtMs === undefined ? "Connecting…" : "Offline. What you write is sent when you are back.";
    case "offline":
      return "Offline.";
    case "closed":
      return ending ?? "The connection was ended.";
  }
}

/** Seconds until a time, counted down. */
function useSecondsUntil(thenMs: number | undefined): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    if (thenMs === undefined) return;
    setNowMs(Date.now());
    const timer = setInterval(() => setNowMs(Date.now()), 250);
    return () => clearInterval(timer);
  }, [thenMs]);
  return thenMs === undefined ? 0 : Math.max(0, Math.ceil((thenMs - nowMs) / 1000));
}
