package dev.recurrent.training.run;

import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.zoo.Pretrained;
import java.io.IOException;

/** interim */
final class RunCheckpoints {
    private final RunFolder folder;
    private final Pretrained model;
    private double best = Double.POSITIVE_INFINITY;

    RunCheckpoints(RunFolder folder, Pretrained model) {
        this.folder = folder;
        this.model = model;
    }

    void save(LanguageModelTrainer trainer, RunData data, double validationLoss)
            throws IOException {
        if (!(validationLoss >= best)) {
            best = validationLoss;
            model.save(folder.model(), ScalarType.FLOAT32);
        }
    }
}
