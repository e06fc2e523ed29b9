package dev.recurrent.training.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.nn.LowRankAdapter;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.TensorInfo;
import dev.recurrent.zoo.config.HubConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Reads adapters as PEFT or {@link AdapterWriter} wrote them, all of them or none. */
final class AdapterReader {

    private static final Set<ScalarType> FLOATING =
            Set.of(ScalarType.FLOAT16, ScalarType.BFLOAT16, ScalarType.FLOAT32, ScalarType.FLOAT64);

    private final Map<String, Projection> projections;
    private final List<PeftModule> modules;

    /**
     * Constructs a reader.
     *
     * @param projections the model's projections by path
     * @param modules what they are upstream
     */
    AdapterReader(Map<String, Projection> projections, List<PeftModule> modules) {
        this.projections = projections;
        this.modules = modules;
    }

    /**
     * What was read.
     *
     * @param config where the adapters belong and how large they are
     * @param adapters with values, by the projections' paths
     */
    record Result(LoraConfig config, Map<String, LowRankAdapter> adapters) {}

    Result read(Path folder, HubConfig base) throws IOException, CheckpointException {
        PeftConfig config = PeftConfig.read(folder.resolve(PeftConfig.FILE), base);
        try (Checkpoint checkpoint = Checkpoint.open(folder.resolve(PeftConfig.WEIGHTS))) {
            List<PeftModule> present = compare(checkpoint, config, folder);
            return read(checkpoint, config, present);
        }
    }

    /** Returns the modules that have adapters. */
    private List<PeftModule> compare(Checkpoint checkpoint, PeftConfig config, Path folder)
            throws CheckpointException {
        List<String> problems = new ArrayList<>(config.problems());
        Set<String> unexpected = new TreeSet<>(checkpoint.tensors().keySet());
        List<PeftModule> present = new ArrayList<>();
        for (PeftModule module : modules) {
            boolean hasA = unexpected.remove(module.a());
            boolean hasB = unexpected.remove(module.b());
            if (!hasA && !hasB) {
                continue;
            }
            present.add(module);
            if (config.rank() < 1) {
                continue;
            }
            long rank = config.rank();
            check(problems, checkpoint, module.a(), new Shape(rank, module.inputs()));
            check(problems, checkpoint, module.b(), new Shape(module.rows(), rank));
        }
        if (!unexpected.isEmpty()) {
            problems.add("tensors of no projection: " + String.join(", ", unexpected));
        }
        if (present.isEmpty()) {
            problems.add("there is no adapter of any projection");
        }
        if (!problems.isEmpty()) {
            throw new CheckpointException(
                    folder,
                    null,
                    "the adapters are not for this model: " + String.join("; ", problems));
        }
        return present;
    }

    private static void check(
            List<String> problems, Checkpoint checkpoint, String name, Shape wanted) {
        TensorInfo info = checkpoint.tensors().get(name);
        if (info == null) {
            problems.add(name + " is missing");
        } else if (!info.shape().equals(wanted)) {
            problems.add(name + " is " + info.shape() + ", not " + wanted);
        } else if (!FLOATING.contains(info.type())) {
            problems.add(name + " is " + info.type() + ", not floating-point");
        }
    }

    private Result read(Checkpoint checkpoint, PeftConfig config, List<PeftModule> present)
            throws IOException, CheckpointException {
        Map<String, List<PeftModule>> parts = new LinkedHashMap<>();
        for (PeftModule module : present) {
            parts.computeIfAbsent(module.projection(), path -> new ArrayList<>()).add(module);
        }
        Set<String> apart = new HashSet<>();
        int joined = 1;
        for (Map.Entry<String, List<PeftModule>> entry : parts.entrySet()) {
            if (!shareA(checkpoint, entry.getValue())) {
                apart.add(entry.getKey());
                joined = Math.max(joined, entry.getValue().size());
            }
        }
        LoraConfig lora =
                new LoraConfig(
                        Math.multiplyExact(config.rank(), joined),
                        config.alpha() * joined,
                        List.copyOf(parts.keySet()));
        Map<String, LowRankAdapter> adapters = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, List<PeftModule>> entry : parts.entrySet()) {
                Projection projection = projections.get(entry.getKey());
                LowRankAdapter adapter = LoraAdapters.create(projection, lora, Initializer.ZEROS);
                adapters.put(entry.getKey(), adapter);
                long step = apart.contains(entry.getKey()) ? config.rank() : 0;
                fill(adapter, checkpoint, entry.getValue(), config.rank(), step);
            }
        } catch (IOException | CheckpointException | RuntimeException e) {
            adapters.values().forEach(LowRankAdapter::clear);
            throw e;
        }
        return new Result(lora, adapters);
    }

    /** Whether all parts of a projection have the same A, as when one adapter was saved as many. */
    private boolean shareA(Checkpoint checkpoint, List<PeftModule> parts)
            throws IOException, CheckpointException {
        if (parts.size() == 1) {
            return true;
        }
        NDManager owner =
                projections.get(parts.get(0).projection()).weight().getArray().getManager();
        try (NDManager scratch = owner.newSubManager()) {
            NDArray first = checkpoint.load(scratch, parts.get(0).a());
            for (PeftModule part : parts.subList(1, parts.size())) {
                if (!checkpoint.load(scratch, part.a()).contentEquals(first)) {
                    return false;
                }
            }
            return true;
        }
    }

    /** Reads the parts' rows of B and their A, each A {@code step} rows below the one before. */
    private static void fill(
            LowRankAdapter adapter,
            Checkpoint checkpoint,
            List<PeftModule> parts,
            long rank,
            long step)
            throws IOException, CheckpointException {
        NDArray a = adapter.a().getArray(); // [r, in]
        NDArray b = adapter.b().getArray(); // [out, r]
        try (NDManager views = a.getManager().newSubManager()) {
            for (int i = 0; i < parts.size(); i++) {
                PeftModule part = parts.get(i);
                NDArray rows = Aten.narrow(views, b, 0, part.firstRow(), part.rows());
                checkpoint.read(part.a(), Aten.narrow(views, a, 0, i * step, rank));
                checkpoint.read(part.b(), Aten.narrow(views, rows, 1, i * step, rank));
            }
        }
    }
}
