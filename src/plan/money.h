/* SPDX-License-Identifier: Apache-2.0 */
/** money: where the master's marks put the money of one expiry. */
#ifndef NB_PLAN_MONEY_H
#define NB_PLAN_MONEY_H

#include "plan/plan.h"

typedef struct money {
    nb_price at;           /**< the strike marked ATM; NB_PRICE_UNDEF: none */
    nb_price below, above; /**< the strikes just below and above it, by ITM and OTM marks */
    nb_price least, most;
} money;

money money_init(void);
bool money_is_option(const nb__instrument *row); /**< with a strike */
void money_learn(money *m, const nb__instrument *row);
nb_price money_marked(const money *m);           /**< NB_PRICE_UNDEF: no marks */
nb_price money_or_middle(const money *m);        /**< without marks the middle of the chain */
nb_price money_distance(nb_price a, nb_price b); /**< |a - b|; INT64_MAX when it does not fit */

#endif
