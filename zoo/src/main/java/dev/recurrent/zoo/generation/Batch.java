package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Texts that are generated together. Finished ones leave the batch; the last one closes it. */
final class Batch implements AutoCloseable {

    private final NDManager manager;
    private final Decoder decoder;
    private List<Continuation> active;

    /**
     * Constructs a batch that has not begun.
     *
     * @param model the model, as one of its users
     * @param parent where the batch's manager hangs
     * @param texts the texts
     * @param chunk how many tokens of a prompt go through the model at a time
     */
    Batch(PreparedModel model, NDManager parent, List<Continuation> texts, int chunk) {
        manager = parent.newSubManager();
        manager.setName("generation");
        active = List.copyOf(texts);
        ParameterStore store = new ParameterStore(manager, false);
        Session session = new Session(model, store, manager, active.size());
        try {
            decoder = decoder(model.model(), session, chunk);
        } catch (RuntimeException e) {
            manager.close();
            throw e;
        }
    }

    private Decoder decoder(LanguageModel model, Session session, int chunk) {
        Optional<CudaDevice> device = Kernels.on(manager.getDevice());
        if (device.isEmpty()) {
            return new HostDecoder(session, active, chunk);
        }
        int vocabulary = Math.toIntExact(model.config().vocabulary());
        return new DeviceDecoder(device.get(), manager, session, active, vocabulary, chunk);
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
        int most = active.stream().mapToInt(Continuation::most).max().orElseThrow();
        long[] ids = decoder.next(most);
        List<String> pieces = new ArrayList<>();
        for (int row = 0; row < ids.length; row++) {
            pieces.add(active.get(row).extend(ids[row]));
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
            decoder.keep(rows.stream().mapToInt(Integer::intValue).toArray());
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
