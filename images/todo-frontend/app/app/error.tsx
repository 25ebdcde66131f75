"use client";

export default function Failure() {
  return (
    <main>
      <h1>Todos</h1>
      <p>The list can&apos;t be read right now. Try again in a moment.</p>
    </main>
  );
}
