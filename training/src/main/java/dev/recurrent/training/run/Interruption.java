package dev.recurrent.training.run;

import java.util.concurrent.CountDownLatch;

/**
 * Turns the end of the JVM (Ctrl-C, SIGTERM) into a request that the run saves itself, and keeps
 * the JVM alive until that is done.
 */
final class Interruption implements AutoCloseable {

    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook = new Thread(this::await, "recurrent-save-and-stop");
    private volatile boolean requested;

    Interruption() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    private void await() {
        requested = true;
        try {
            finished.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns whether the run is to stop after the present step. */
    boolean isRequested() {
        return requested || Thread.currentThread().isInterrupted();
    }

    /** Lets the JVM end. */
    @Override
    public void close() {
        finished.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is ending already, which is what the hook waited for.
            return;
        }
    }
}
