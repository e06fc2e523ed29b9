package dev.recurrent.training.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.nn.LowRankAdapter;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import dev.recurrent.zoo.config.HubConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes adapters as PEFT does. */
final class AdapterWriter {

    private AdapterWriter() {}

    /**
     * Writes adapters.
     *
     * @param folder created if need be
     * @param base what the model's folder says about it
     * @param config what the adapters were made from
     * @param modules the upstream modules of the adapted projections
     * @param adapters by the projections' paths
     * @throws CheckpointSaveException if it fails
     */
    static void write(
            Path folder,
            HubConfig base,
            LoraConfig config,
            List<PeftModule> modules,
            Map<String, LowRankAdapter> adapters)
            throws CheckpointSaveException {
        NDManager owner = adapters.values().iterator().next().a().getArray().getManager();
        try (NDManager views = owner.newSubManager()) {
            Map<String, TensorSlices> tensors = new LinkedHashMap<>();
            for (PeftModule module : modules) {
                LowRankAdapter adapter = adapters.get(module.projection());
                NDArray b = Torch.call(views, "aten::detach", adapter.b().getArray());
                NDArray rows = Aten.narrow(views, b, 0, module.firstRow(), module.rows());
                tensors.put(module.a(), TensorSlices.of(adapter.a().getArray()));
                tensors.put(module.b(), TensorSlices.of(rows));
            }
            describe(folder, PeftConfig.text(base, config, modules));
            new CheckpointWriter(ScalarType.FLOAT32)
                    .writeFile(folder.resolve(PeftConfig.WEIGHTS), tensors);
        }
    }

    private static void describe(Path folder, String text) throws CheckpointSaveException {
        Path file = folder.resolve(PeftConfig.FILE);
        try {
            Files.createDirectories(folder);
            AtomicFiles.deleteLeftovers(folder);
            if (Files.exists(file) && text.equals(Files.readString(file))) {
                return;
            }
            // Weights must never stand beside the configuration of others.
            Files.deleteIfExists(folder.resolve(PeftConfig.WEIGHTS));
            AtomicFiles.writeString(file, text);
        } catch (IOException e) {
            throw new CheckpointSaveException(file, e);
        }
    }
}
