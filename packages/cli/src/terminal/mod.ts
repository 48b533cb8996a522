export {
  DURATION_HELP,
  parseAddress,
  parseCount,
  parseDuration,
  parseListenPort,
  parsePort,
} from "./arguments.ts";
export { CommandFailed, describeError, Interrupted, OutputClosed, reportError, WrongSettings } from "./exit.ts";
export { ignoreHangUp, interruptSignal, untilInterrupted } from "./interrupt.ts";
export { announce, guardOutputs, note, showWarnings } from "./notes.ts";
export { orOtherPort } from "./other-port.ts";
export { Output } from "./output.ts";
export { Prompt } from "./prompt.ts";
export { SafeTextDecoder, safeLine, safeText } from "./safe-text.ts";
export { everyAddressLine, formatServices, localAddress, type ServiceLine } from "./service-lines.ts";
export { systemReason } from "./system-reason.ts";
export { startTrace } from "./trace.ts";
export { usageText } from "./usage-text.ts";
export { readVersion } from "./version.ts";
