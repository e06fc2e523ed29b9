package dev.recurrent.blocks.torch;

import ai.djl.ndarray.NDScope;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Keeps everything that some work makes until it is closed itself, whatever the work's own scopes
 * would free: what is recorded in a graph writes to that memory at each replay.
 */
public final class Retention implements AutoCloseable {

    private static final ThreadLocal<Boolean> RETAINING = ThreadLocal.withInitial(() -> false);

    private NDScope scope;

    /** Returns whether tensors made on this thread are kept. */
    static boolean isRetaining() {
        return RETAINING.get();
    }

    /**
     * Runs work on a thread of its own, where no scope but this one sees what it makes.
     *
     * @param thread what the thread does: it calls {@link #keeping} around what is to be kept
     * @throws RuntimeException what the work threw
     */
    public static void onOwnThread(Runnable thread) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread worker =
                new Thread(
                        () -> {
                            try {
                                thread.run();
                                done.complete(null);
                            } catch (RuntimeException | Error e) {
                                done.completeExceptionally(e);
                            }
                        },
                        "retention");
        worker.setDaemon(true);
        worker.start();
        try {
            done.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw (Error) e.getCause();
        }
    }

    /**
     * Runs work once and keeps what it makes. It is called on the work's own thread.
     *
     * @param work what to run
     */
    public void keeping(Runnable work) {
        scope = new NDScope();
        RETAINING.set(true);
        try {
            work.run();
        } finally {
            RETAINING.set(false);
        }
    }

    /** Frees what was kept. Closing twice is harmless. */
    @Override
    public void close() {
        if (scope != null) {
            scope.close();
        }
    }
}
