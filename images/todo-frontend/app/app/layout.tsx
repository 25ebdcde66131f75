import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Todos", description: "What is to be done" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body style={{ fontFamily: "system-ui, sans-serif", margin: "2rem auto", maxWidth: "36rem", padding: "0 1rem" }}>
        {children}
      </body>
    </html>
  );
}
