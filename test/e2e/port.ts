export { freePort } from "../../runtime/tool-loader/testing/port.ts";
