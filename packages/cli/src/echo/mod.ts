export { EchoServices, type EchoServicesOptions } from "./echo-services.ts";
