package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Texts that are generated together. Finished ones leave the batch; the last one closes it. */
final class Batch implements AutoCloseable {

    private final NDManager manager;
    private final Session session;
    private final int chunk;
    private List<Continuation> active;

    Batch(LanguageModel model, NDManager parent, List<Continuation> texts, int chunk) {
        manager = parent.newSubManager();
        manager.setName("generation");
        session = new Session(model, new ParameterStore(manager, false), manager, texts.size());
        active = List.copyOf(texts);
        this.chunk = chunk;
    }

    /** Generates a token of every unfinished text; returns their new characters. */
    List<String> advance() {
        try {
            List<String> pieces = step();
            dropFinished();
            return pieces;
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private List<String> step() {
        long[][] pending = active.stream().map(Continuation::pending).toArray(long[][]::new);
        NDArray logits = session.feed(pending, chunk); // [B, vocabulary]
        float[] values = Torch.cast(logits, ScalarType.FLOAT32).toFloatArray();
        int vocabulary = values.length / active.size();
        List<String> pieces = new ArrayList<>();
        for (int row = 0; row < active.size(); row++) {
            int from = row * vocabulary;
            float[] own = Arrays.copyOfRange(values, from, from + vocabulary);
            pieces.add(active.get(row).extend(own));
        }
        return pieces;
    }

    private void dropFinished() {
        List<Continuation> rest = new ArrayList<>();
        List<Integer> rows = new ArrayList<>();
        for (int row = 0; row < active.size(); row++) {
            if (!active.get(row).isFinished()) {
                rest.add(active.get(row));
                rows.add(row);
            }
        }
        if (rest.isEmpty()) {
            close();
        } else if (rest.size() < active.size()) {
            session.keep(rows.stream().mapToInt(Integer::intValue).toArray());
            active = rest;
        }
    }

    boolean isOpen() {
        return manager.isOpen();
    }

    @Override
    public void close() {
        manager.close();
    }
}
