package dev.recurrent.zoo.generation;

import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Text that is generated while it is read, in pieces that are never empty and never end within a
 * character or a possible stop string.
 *
 * <p>The model's state is freed when the text ends, when generating fails, or by {@link #close},
 * whichever comes first. A stream may be handed to another thread but serves one at a time.
 */
public final class TokenStream implements Iterator<String>, AutoCloseable {

    private final Batch batch;
    private final Continuation text;
    private String piece = "";

    TokenStream(Batch batch, Continuation text) {
        this.batch = batch;
        this.text = text;
    }

    /** Returns whether there is more text, generating until there is or the text ends. */
    @Override
    public boolean hasNext() {
        while (piece.isEmpty() && batch.isOpen()) {
            piece = batch.advance().get(0);
        }
        return !piece.isEmpty();
    }

    @Override
    public String next() {
        if (!hasNext()) {
            throw new NoSuchElementException("The text has ended");
        }
        String next = piece;
        piece = "";
        return next;
    }

    /**
     * Returns the whole result.
     *
     * @throws IllegalStateException if the text has not ended
     */
    public GenerationResult result() {
        if (!text.isFinished()) {
            throw new IllegalStateException("The text has not ended");
        }
        return text.result();
    }

    /** Ends the stream and frees the model's state. Closing twice is harmless. */
    @Override
    public void close() {
        piece = "";
        batch.close();
    }
}
