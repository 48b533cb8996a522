/** Files that Vite copies, imported as their address. */
declare module "*.svg" {
  const address: string;
  export default address;
}

declare module "*.css";
