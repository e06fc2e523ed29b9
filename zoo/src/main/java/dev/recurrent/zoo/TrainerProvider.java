package dev.recurrent.zoo;

import ai.djl.Model;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;

/**
 * Makes the trainers of zoo models. The training module registers one as a service, so that {@code
 * model.newTrainer} gives its users more than DJL's own trainer without their asking; without that
 * module they get DJL's.
 */
public interface TrainerProvider {

    /**
     * Makes a trainer.
     *
     * @param model whose block is a {@link dev.recurrent.blocks.LanguageModel}
     * @param config of the training
     * @return the trainer, to be closed
     */
    Trainer newTrainer(Model model, TrainingConfig config);
}
