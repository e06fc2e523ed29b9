package dev.recurrent.evaluation.spark;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import java.io.IOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.apache.spark.TaskContext;

/**
 * A model in an executor: opened by the first task that wants it, shared by those that run beside
 * it, and kept for later ones. When another model is wanted, those that nobody uses make room.
 */
final class SharedModel implements AutoCloseable {

    private static final Map<Key, SharedModel> OPEN = new HashMap<>();

    /** Weights of entries without trained ones start here, as they do on the command line. */
    private static final long SEED = 0;

    private static final String THREADS = "ai.djl.pytorch.num_threads";

    static {
        // A model in use is left to the end of the process: its tasks may still be running.
        Runtime.getRuntime().addShutdownHook(new Thread(SharedModel::closeIdle));
    }

    private record Key(String model, String device) {}

    private final Pretrained model;
    private final Traits traits;
    private int users;

    private SharedModel(ModelReference reference, Pretrained model) {
        this.model = model;
        long vocabulary = model.config().model().vocabulary();
        traits = new Traits(reference.text(), model.findTokenizer().orElse(null), vocabulary);
    }

    /**
     * Returns the model of a request, which this thread may use until it closes it.
     *
     * @throws dev.recurrent.evaluation.InvalidInputException if this machine does not see it
     */
    static SharedModel use(EvaluationRequest request) throws IOException, MalformedModelException {
        synchronized (OPEN) {
            Key key = new Key(request.model(), request.device());
            SharedModel shared = OPEN.get(key);
            if (shared == null) {
                closeIdle();
                limitThreads();
                ModelReference reference = request.reference();
                Device device = Device.fromName(request.device());
                shared = new SharedModel(reference, reference.open(device, SEED));
                OPEN.put(key, shared);
            }
            shared.users++;
            return shared;
        }
    }

    /** Each task computes with its own cores only; PyTorch would give it all of the machine's. */
    private static void limitThreads() {
        if (System.getProperty(THREADS) == null) {
            System.setProperty(THREADS, Integer.toString(TaskContext.get().cpus()));
        }
    }

    private static void closeIdle() {
        synchronized (OPEN) {
            Iterator<SharedModel> all = OPEN.values().iterator();
            while (all.hasNext()) {
                SharedModel shared = all.next();
                if (shared.users == 0) {
                    all.remove();
                    shared.model.close();
                }
            }
        }
    }

    Pretrained pretrained() {
        return model;
    }

    Traits traits() {
        return traits;
    }

    /** Ends one use. */
    @Override
    public void close() {
        synchronized (OPEN) {
            users--;
        }
    }
}
